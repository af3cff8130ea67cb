package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pmig/pmig/schema"
)

// chain is a schema of n tables of which each refers to the one before.
func chain(n int) *schema.Schema {
	s := new(schema.Schema)
	for i := range n {
		reference := ""
		if i > 0 {
			reference = fmt.Sprintf(",\n  CONSTRAINT `f%d` FOREIGN KEY (`parent`) REFERENCES `t%03d` (`id`)", i, i-1)
		}
		s.Tables = append(s.Tables, schema.Table{Name: fmt.Sprintf("t%03d", i), Create: fmt.Sprintf("CREATE TABLE `t%03d` (\n  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n"+
			"  `parent` bigint(20) unsigned DEFAULT NULL,\n  `name` varchar(100) NOT NULL DEFAULT '',\n  `data` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`data`)),\n"+
			"  `created_at` timestamp NOT NULL DEFAULT current_timestamp(),\n  PRIMARY KEY (`id`),\n  KEY `by_name` (`name`),\n  KEY `parent` (`parent`)%s\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", i, reference)})
	}
	return s
}

func BenchmarkDigests300(b *testing.B) {
	s := chain(300)
	for b.Loop() {
		s.Digests()
	}
}

func BenchmarkDiffOneOf300(b *testing.B) {
	from, to := chain(300), chain(300)
	to.Tables[7].Create = strings.Replace(to.Tables[7].Create, "varchar(100)", "varchar(200)", 1)
	for b.Loop() {
		if c, err := schema.Diff(from, to); err != nil || len(c) != 1 {
			b.Fatal(c, err)
		}
	}
}

func BenchmarkDiffAllOf300(b *testing.B) {
	to := chain(300)
	for b.Loop() {
		if c, err := schema.Diff(nil, to); err != nil || len(c) != 300 {
			b.Fatal(len(c), err)
		}
	}
}
