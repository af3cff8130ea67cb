package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// shape is what may stand in one kind of block.
type shape struct {
	in       string // where it is, as a sentence begins: "In a database block"
	attrs    []string
	required []string
	blocks   []blockShape
}

// blockShape is one kind of nested block and how many labels it has.
type blockShape struct {
	name   string
	labels int
}

// content is a block taken apart; it holds only what the shape allows.
type content struct {
	attrs  map[string]*hclsyntax.Attribute
	blocks map[string][]*hclsyntax.Block
}

// open takes a body apart and reports what does not belong there.
func (l *loader) open(body *hclsyntax.Body, s shape) content {
	c := content{attrs: map[string]*hclsyntax.Attribute{}, blocks: map[string][]*hclsyntax.Block{}}
	for name, attr := range body.Attributes {
		if slices.Contains(s.attrs, name) {
			c.attrs[name] = attr
			continue
		}
		l.report(&attr.NameRange, "Unknown attribute", s.unknown("attribute", name, s.attrs, s.blockNames()))
	}
	for _, block := range body.Blocks {
		i := slices.IndexFunc(s.blocks, func(b blockShape) bool { return b.name == block.Type })
		if i < 0 {
			l.report(&block.TypeRange, "Unknown block", s.unknown("block", block.Type, s.blockNames(), s.attrs))
			continue
		}
		if l.labels(block, s.blocks[i].labels) {
			c.blocks[block.Type] = append(c.blocks[block.Type], block)
		}
	}
	for _, name := range s.required {
		if c.attrs[name] == nil {
			l.report(body.MissingItemRange().Ptr(), "Missing attribute", fmt.Sprintf("%s the attribute %q is needed.", s.in, name))
		}
	}
	return c
}

// unknown is the sentence on a name that a block does not have: what was meant, or what there is.
func (s shape) unknown(kind, name string, same, other []string) string {
	text := fmt.Sprintf("%s there is no %s %q.", s.in, kind, name)
	switch {
	case slices.Contains(other, name) && kind == "attribute":
		return fmt.Sprintf("%q is a block: write %s { ... } without an equals sign.", name, name)
	case slices.Contains(other, name):
		return fmt.Sprintf("%q is an attribute: write %s = ... with an equals sign.", name, name)
	case nearest(name, same) != "":
		return text + didYouMean(name, same, "%q")
	case kind == "attribute" && nearest(name, other) != "":
		return text + didYouMean(name, other, "the block %q")
	case nearest(name, other) != "":
		return text + didYouMean(name, other, "the attribute %q")
	case len(same) == 0:
		return text + fmt.Sprintf(" It has no %ss.", kind)
	case len(same) == 1:
		return text + fmt.Sprintf(" The only %s is %s.", kind, same[0])
	default:
		return text + fmt.Sprintf(" There can be %s.", list(same, "and"))
	}
}

func (s shape) blockNames() []string {
	names := make([]string, len(s.blocks))
	for i, b := range s.blocks {
		names[i] = b.name
	}
	return names
}

// labels reports a block whose labels are too few or too many.
func (l *loader) labels(b *hclsyntax.Block, want int) bool {
	switch have := len(b.Labels); {
	case have < want:
		l.report(b.DefRange().Ptr(), "Missing label", fmt.Sprintf("%s block needs a name in quotes: %s \"...\" { }.", article(b.Type), b.Type))
		return false
	case have > want && want == 0:
		l.report(&b.LabelRanges[0], "Too many labels", fmt.Sprintf("A %s block has no name.", b.Type))
		return false
	case have > want:
		l.report(&b.LabelRanges[want], "Too many labels", fmt.Sprintf("A %s block has only one name.", b.Type))
		return false
	}
	return true
}

// article is a word with the article that begins a sentence.
func article(word string) string {
	if strings.ContainsAny(word[:1], "aeiou") {
		return "An " + word
	}
	return "A " + word
}

// once returns the first of blocks that may be there only once, or nil, and reports the others.
func (l *loader) once(blocks []*hclsyntax.Block) *hclsyntax.Block {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		l.report(b.DefRange().Ptr(), "Repeated block", fmt.Sprintf("There can be only one %s block here; the first is at %s.", b.Type, place(blocks[0].DefRange())))
	}
	return blocks[0]
}

// place is where a range begins, the way editors and compilers write it.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}
