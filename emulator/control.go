package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// serveControl serves /_emulator/: what no platform lets one do.
//
//	GET    /_emulator/                 what this is, and what the clock shows
//	POST   /_emulator/advance          {"duration": "30m"}
//	GET    /_emulator/knobs            the times that things take
//	PATCH  /_emulator/knobs            {"revert_window": "30m", ...}
//	GET    /_emulator/unknowns         the open questions about the platform
//	PATCH  /_emulator/unknowns         {"close_queued": true, ...}
//	GET    /_emulator/faults           what goes wrong
//	POST   /_emulator/faults           {"do": "drop-after", "method": "POST", "path": "/deploy$", "times": 1}
//	DELETE /_emulator/faults[/ID]      all of them, or one
//	GET    /_emulator/requests         the requests received, without secrets
//	DELETE /_emulator/requests         forget them
//	GET    /_emulator/events           what happened
//	GET    /_emulator/state            everything it knows, without secrets
//	POST   /_emulator/databases        {"organization": "acme", "name": "shop", ...}
//	POST   /_emulator/sql              {"database": "shop", "branch": "main", "sql": "...; ..."}: run past every rule
//	POST   /_emulator/import           {"database": "shop", "branch": "main", "schema": "CREATE ...", "rows": {"users": [{"id": 1}]}}
//	ANY    /_emulator/as/NAME/v1/...   the API as a person at the dashboard
func (e *Emulator) serveControl(w http.ResponseWriter, c *call) {
	var err error
	if c.body, err = readBody(w, c.r); err != nil {
		c.refuse(w, err)
		return
	}
	path := strings.Trim(strings.TrimPrefix(c.r.URL.Path, "/_emulator"), "/")
	a, err := c.control(c.r.Method + " " + path)
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.write(w, a)
}

// duration is a time.Duration written as people do.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

// knobsText is Knobs with durations as text.
type knobsText struct {
	BranchReady  duration `json:"branch_ready"`
	Diff         duration `json:"diff"`
	Queue        duration `json:"queue"`
	Submit       duration `json:"submit"`
	Deploy       duration `json:"deploy"`
	CopyPerRow   duration `json:"copy_per_row"`
	Cutover      duration `json:"cutover"`
	VSchema      duration `json:"vschema"`
	RevertWindow duration `json:"revert_window"`
	Gate         duration `json:"gate"`
	Revert       duration `json:"revert"`
	Cancel       duration `json:"cancel"`
}

// faultText is Fault with its delay as text.
type faultText struct {
	Fault
	Delay duration `json:"delay"`
}

func (c *call) control(what string) (answer, error) {
	e := c.e
	switch what {
	case "GET ":
		return ok(object{"engine": e.engine.Name(), "time": at(e.now()), "mysql": e.options.MySQLAddress, "mysql_certificate": string(e.CACertificate())})
	case "POST advance":
		n := struct {
			Duration duration `json:"duration"`
		}{}
		if err := c.readText(&n); err != nil {
			return answer{}, err
		}
		if err := e.Advance(time.Duration(n.Duration)); err != nil {
			return answer{}, err
		}
		return ok(object{"time": at(e.now())})
	case "GET knobs", "PATCH knobs":
		e.mu.Lock()
		k := knobsOf(e.world.Knobs)
		e.mu.Unlock()
		if c.r.Method == http.MethodGet {
			return ok(k)
		}
		if err := c.readText(&k); err != nil {
			return answer{}, err
		}
		if name := k.negative(); name != "" {
			return answer{}, invalid(name + " is negative")
		}
		e.SetKnobs(k.knobs())
		return ok(k)
	case "GET unknowns", "PATCH unknowns":
		e.mu.Lock()
		u := e.world.Unknowns
		e.mu.Unlock()
		if err := c.readText(&u); err != nil {
			return answer{}, err
		}
		if u.NotesLimit < 0 {
			return answer{}, invalid("notes_limit is negative")
		}
		e.SetUnknowns(u)
		return ok(u)
	case "GET faults":
		return c.locked(func() (answer, error) {
			all := []faultText{}
			for _, f := range e.world.Faults {
				all = append(all, faultText{*f, duration(f.Delay)})
			}
			return ok(object{"data": all})
		})
	case "POST faults":
		var f faultText
		if err := c.readText(&f); err != nil {
			return answer{}, err
		}
		f.Fault.Delay = time.Duration(f.Delay)
		id, err := e.AddFault(f.Fault)
		if err != nil {
			return answer{}, err
		}
		return created(object{"id": id})
	case "DELETE faults":
		if err := e.RemoveFault(0); err != nil {
			return answer{}, err
		}
		return noContent()
	case "GET requests":
		return c.locked(func() (answer, error) { return ok(object{"data": append([]Request{}, e.requests...)}) })
	case "GET events":
		return c.locked(func() (answer, error) { return ok(object{"data": append([]Event{}, e.log...)}) })
	case "GET state":
		return c.locked(e.stateLocked)
	case "POST databases":
		return c.controlDatabase()
	case "POST sql":
		return c.controlSQL()
	case "POST import":
		return c.controlImport()
	case "DELETE requests":
		return c.locked(func() (answer, error) {
			e.requests = nil
			return noContent()
		})
	}
	if id, is := strings.CutPrefix(what, "DELETE faults/"); is {
		n, err := strconv.Atoi(id)
		if err != nil || n <= 0 {
			return answer{}, errNotFound
		}
		if err := e.RemoveFault(n); err != nil {
			return answer{}, err
		}
		return noContent()
	}
	return answer{}, errNotFound
}

// readText is read for people who write a body by hand: it says what is wrong
// with it, and takes no member that there is not.
func (c *call) readText(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("more than one value")
	}
	if err != nil {
		return badRequest(err.Error())
	}
	return nil
}

func knobsOf(k Knobs) knobsText {
	return knobsText{duration(k.BranchReady), duration(k.Diff), duration(k.Queue), duration(k.Submit), duration(k.Deploy), duration(k.CopyPerRow),
		duration(k.Cutover), duration(k.VSchema), duration(k.RevertWindow), duration(k.Gate), duration(k.Revert), duration(k.Cancel)}
}

// negative names a time below nothing, if there is one.
func (k knobsText) negative() string {
	v := reflect.ValueOf(k)
	for i := range v.NumField() {
		if v.Field(i).Int() < 0 {
			return v.Type().Field(i).Tag.Get("json")
		}
	}
	return ""
}

func (k knobsText) knobs() Knobs {
	return Knobs{time.Duration(k.BranchReady), time.Duration(k.Diff), time.Duration(k.Queue), time.Duration(k.Submit), time.Duration(k.Deploy), time.Duration(k.CopyPerRow),
		time.Duration(k.Cutover), time.Duration(k.VSchema), time.Duration(k.RevertWindow), time.Duration(k.Gate), time.Duration(k.Revert), time.Duration(k.Cancel)}
}

// stateLocked is the world without its secrets.
func (e *Emulator) stateLocked() (answer, error) {
	b, err := json.Marshal(&e.world)
	if err != nil {
		return answer{}, err
	}
	var copied world
	if err := json.Unmarshal(b, &copied); err != nil {
		return answer{}, err
	}
	for _, o := range copied.Organizations {
		for _, db := range o.Databases {
			for _, w := range db.Webhooks {
				w.Secret, w.Authorization = "", ""
			}
			for _, br := range db.Branches {
				for _, p := range br.Passwords {
					p.PlainText = ""
				}
			}
		}
	}
	return ok(copied)
}

func (c *call) controlDatabase() (answer, error) {
	n := struct {
		Organization string `json:"organization"`
		Database
	}{Organization: c.e.options.Organization}
	if err := c.readText(&n); err != nil {
		return answer{}, err
	}
	if err := c.e.CreateDatabase(c.r.Context(), n.Organization, n.Database); err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) { return created(c.showDatabase(c.e.findLocked(n.Organization, n.Name))) })
}
