package config

import "github.com/hashicorp/hcl/v2/hclwrite"

// Format returns src in the canonical layout of HCL. Only spaces and line breaks change, so a file with mistakes in it can be
// formatted too.
func Format(src []byte) []byte { return hclwrite.Format(src) }
