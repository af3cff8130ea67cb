package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Bounds of what is parsed. The parser and the evaluation recurse, and Go cannot recover from a stack that is full; a number with
// a huge exponent is written out digit by digit when it becomes a string.
const (
	maxSource   = 512 << 10 // bytes of a pmig.hcl or a variable file
	maxNesting  = 100       // brackets and templates within each other
	maxExponent = 3         // digits of a number's exponent
)

// parseSource parses the text of one file. The result is never nil; it is not usable when the parser has lost its way in the text,
// so that what it says of the rest means nothing.
func parseSource(src []byte, name string) (file *hcl.File, usable bool, diags hcl.Diagnostics) {
	start := hcl.Pos{Line: 1, Column: 1}
	empty := &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if diags := bounds(src, name, start); diags.HasErrors() {
		return empty, false, diags
	}
	file, found := hclsyntax.ParseConfig(src, name, start)
	if file == nil {
		file = empty
	}
	usable = true
	seen := map[string]bool{}
	for _, d := range found {
		switch {
		case d.Summary == "Attribute redefined":
			d.Summary = "Repeated attribute"
			d.Detail = strings.ReplaceAll(strings.ReplaceAll(d.Detail, "argument", "attribute"), "Each", "An")
			d.Detail = strings.ReplaceAll(d.Detail, "An attribute may be set", "It can be set")
		case seen[d.Summary]:
			continue // a quotation mark that is not closed is found again on every line after it
		default:
			usable = false
			seen[d.Summary] = true
		}
		diags = append(diags, d)
	}
	return file, usable, diags
}

// bounds refuses a text that the parser should not be given.
func bounds(src []byte, name string, start hcl.Pos) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, name, start) // the parser reports these diagnostics itself
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenNumberLit:
			if i := strings.IndexAny(string(t.Bytes), "eE"); i >= 0 && len(strings.TrimLeft(string(t.Bytes[i+1:]), "+-0")) > maxExponent {
				return problem(t.Range, "Number out of range", fmt.Sprintf("The exponent of a number can have %d digits at most.", maxExponent))
			}
		}
		if depth > maxNesting {
			return problem(t.Range, "Nested too deeply", fmt.Sprintf("Brackets can stand within each other at most %d deep.", maxNesting))
		}
	}
	return nil
}

// problem is one error at a range.
func problem(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}
