package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// world is the configuration and the platform it speaks of.
type world struct {
	app      *app
	config   *config.Config
	client   *planetscale.Client // nil: there is no token, and every selected database has a url
	noToken  error               // what to say when one is needed after all
	secrets  []string            // to be kept out of any child's output
	key      string              // what the state is keyed by: the API address, or the emulator's folder
	states   *states
	log      *zap.Logger
	shutdown func()
}

// load reads pmig.hcl. Warnings are printed, errors returned.
func (a *app) load(o config.Options) (*config.Config, error) {
	dir := a.flags.Chdir
	if dir == "" {
		dir = "."
	}
	o.Vars, o.VarFiles, o.Environ = a.flags.Var, a.flags.VarFile, a.env
	o.Version, o.Platform = version, a.flags.Platform
	c, diags := config.Load(dir, o)
	if diags.HasErrors() {
		return nil, &diagnostics{diags, c.Files}
	}
	if len(diags) > 0 {
		a.printDiagnostics(&diagnostics{diags, c.Files})
	}
	return c, nil
}

// open loads the configuration and connects to its platform. The caller calls
// shutdown when it is done.
func (a *app) open(ctx context.Context, o config.Options) (*world, error) {
	c, err := a.load(o)
	if err != nil {
		return nil, err
	}
	return a.connect(ctx, c, false)
}

// openHistory is open for a command that may need no more than the target's
// history: where every selected database says by a url where that is, it does
// without a token.
func (a *app) openHistory(ctx context.Context, o config.Options, names []string) (*world, []*config.Database, error) {
	c, err := a.load(o)
	if err != nil {
		return nil, nil, err
	}
	dbs, err := selection(c, names)
	if err != nil {
		return nil, nil, err
	}
	w, err := a.connect(ctx, c, !slices.ContainsFunc(dbs, func(d *config.Database) bool { return d.Target.URL == "" }))
	return w, dbs, err
}

// connect makes the client of the configuration's platform.
func (a *app) connect(ctx context.Context, c *config.Config, withoutToken bool) (w *world, err error) {
	w = &world{app: a, config: c, states: &states{config: c.State}, log: a.logger()}
	w.shutdown = w.states.close
	opts := planetscale.Options{UserAgent: "pmig/" + version, Notify: w.called}
	switch c.Platform.Kind {
	case config.PlatformEmbedded:
		e, err := w.startEmulator(ctx)
		if err != nil {
			return nil, err
		}
		w.shutdown = func() { w.states.close(); e.stop() }
		w.key = "embedded:" + c.Platform.Data
		opts.Address, opts.TokenID, opts.Token, opts.PerMinute = e.address, e.id, e.token, 6000
	default:
		if err := w.readTokens(&opts); err != nil {
			if withoutToken && opts.TokenID == "" && opts.Token == "" {
				w.noToken = err
				return w, nil
			}
			return nil, err
		}
	}
	if w.client, err = planetscale.New(opts); err != nil {
		w.shutdown()
		return nil, err
	}
	if w.key == "" {
		w.key = w.client.Address()
	}
	w.secrets = append(w.secrets, opts.Token.Reveal())
	return w, nil
}

// readTokens takes address and token from the environment, never from
// pmig.hcl: a change to that file must not be able to send the token elsewhere.
func (w *world) readTokens(o *planetscale.Options) error {
	env := w.app.env
	o.Address = env["PLANETSCALE_API_URL"]
	id, err := fromFile(env, "PLANETSCALE_SERVICE_TOKEN_ID")
	if err != nil {
		return err
	}
	token, err := fromFile(env, "PLANETSCALE_SERVICE_TOKEN")
	if err != nil {
		return err
	}
	o.TokenID, o.Token = id, planetscale.Secret(token)
	for _, v := range []struct{ name, value string }{{"PLANETSCALE_SERVICE_TOKEN_ID", id}, {"PLANETSCALE_SERVICE_TOKEN", token}} {
		if v.value == "" {
			return usageError(v.name+" is not set",
				"set PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN (or ..._FILE) to a service token; or try it without an account: pmig plan --platform embedded")
		}
	}
	return nil
}

// fromFile reads NAME, or the file that NAME_FILE names.
func fromFile(env map[string]string, name string) (string, error) {
	if v := env[name]; v != "" {
		return v, nil
	}
	path := env[name+"_FILE"]
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &exitError{exitUsage, &hinted{what: name + "_FILE", err: err, hint: "name a file that holds the token and can be read"}}
	}
	return strings.TrimSpace(string(b)), nil
}

// called logs an HTTP call.
func (w *world) called(c planetscale.Call) {
	w.log.Debug("api", zap.String("method", c.Method), zap.String("path", c.Path), zap.Int("status", c.Status), zap.Duration("took", c.Duration), zap.Int("attempt", c.Attempt))
}

// selection picks the databases that --database names; all without it.
func selection(c *config.Config, names []string) ([]*config.Database, error) {
	if len(names) == 0 {
		return c.Databases, nil
	}
	var out []*config.Database
	for _, n := range names {
		i := slices.IndexFunc(c.Databases, func(d *config.Database) bool { return d.Label == n })
		if i < 0 {
			var have []string
			for _, d := range c.Databases {
				have = append(have, d.Label)
			}
			return nil, usageError(fmt.Sprintf("there is no database %q in %s", n, config.FileName), "it declares: "+strings.Join(have, ", "))
		}
		if !slices.Contains(out, c.Databases[i]) {
			out = append(out, c.Databases[i])
		}
	}
	return out, nil
}

// stateKey names the state of one database: one checkout serves all
// environments.
func (w *world) stateKey(d *config.Database) state.Key {
	return state.Key{Address: w.key, Organization: w.config.Platform.Organization, Database: d.Name, Target: d.Target.Name}
}

// again acknowledges on the command line what an acknowledge block would in the
// file.
func (w *world) again(yes bool) {
	if !yes {
		return
	}
	for _, d := range w.config.Databases {
		for _, code := range config.Acknowledgeable() {
			d.Acknowledged = append(d.Acknowledged, config.Acknowledged{Code: code, Reason: "--again"})
		}
	}
}

// planner makes the planner of one database, reading the target in a role.
func (w *world) planner(d *config.Database, run, role string) *planner.Planner {
	org := w.config.Platform.Organization
	var api *planetscale.DB
	if w.client != nil {
		api = w.client.DB(org, d.Name)
	}
	p := &planner.Planner{
		Platform: w.config.Platform.Kind, Organization: org, API: api, Config: d, Own: w.ownTables(),
		Target: &planner.Access{
			API: api, Connect: connect, Branch: d.Target.Name, Database: d.Name, Role: role,
			Name: "pmig " + planner.Identity(org, d) + " " + run,
		},
	}
	if d.Target.URL != "" {
		p.Target.URL = planetscale.Secret(d.Target.URL.Reveal())
	}
	return p
}

// rel shows a path the way a reader types it.
func rel(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	r, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(r, "..") {
		return path
	}
	return r
}
