package emulator_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// A PlanetScale in the process: no sockets, nothing to install.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	engine, err := emulator.NewMemory(dir)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	e, err := emulator.New(ctx, emulator.Options{Organization: "acme", Databases: []string{"shop"}, Engine: engine})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	client, err := planetscale.New(planetscale.Options{Address: "http://127.0.0.1/", TokenID: "id", Token: "secret", Transport: e.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	branches, err := client.DB("acme", "shop").Branches(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range branches {
		fmt.Println(b.Name, b.Ready, b.SafeMigrations)
	}
	// Output: main true true
}
