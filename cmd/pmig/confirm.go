package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pmig/pmig/config"
)

// canAsk is an error where there is nobody to ask.
func (a *app) canAsk(hint string) error {
	if _, tty := terminal(a.stdin); !tty {
		return usageError("there is no terminal to ask for a confirmation on", hint)
	}
	return nil
}

// confirm asks a person. Anything but "yes" is an error.
func (a *app) confirm(ctx context.Context, question string) error {
	fmt.Fprintf(a.stderr, "\n%s Only \"yes\" is taken: ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		if line != "yes" {
			return &exitError{exitFailed, errors.New("not confirmed: nothing was done")}
		}
		return nil
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return ctx.Err()
	}
}

// only is the one database that a command is about.
func only(dbs []*config.Database) (*config.Database, error) {
	if len(dbs) == 1 {
		return dbs[0], nil
	}
	var have []string
	for _, d := range dbs {
		have = append(have, d.Label)
	}
	return nil, usageError(fmt.Sprintf("%s declares %s, and this is done to one at a time", config.FileName, plural(len(dbs), "database")),
		"name it: --database "+strings.Join(have, " or --database "))
}

// openOne is open for a command that is about one database.
func (a *app) openOne(ctx context.Context, label string) (*world, *config.Database, error) {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	if label != "" {
		names = []string{label}
	}
	dbs, err := selection(w.config, names)
	if err == nil {
		var d *config.Database
		if d, err = only(dbs); err == nil {
			return w, d, nil
		}
	}
	w.shutdown()
	return nil, nil, err
}
