package emulator

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// ParseFault reads a fault as people write it: JSON as for POST
// /_emulator/faults, or what goes wrong and then its members,
// "answer,method=POST,path=/deploy$,status=429,header.Retry-After=2,times=3".
func ParseFault(text string) (Fault, error) {
	var f faultText
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return Fault{}, fmt.Errorf("fault: %w", err)
		}
	} else {
		kind, rest, _ := strings.Cut(text, ",")
		f.Do = FaultKind(kind)
		for rest != "" {
			var member string
			member, rest, _ = strings.Cut(rest, ",")
			name, value, given := strings.Cut(member, "=")
			if !given {
				return Fault{}, fmt.Errorf("fault: %q has no value", name)
			}
			if err := f.set(name, value); err != nil {
				return Fault{}, fmt.Errorf("fault: %w", err)
			}
		}
	}
	f.Fault.Delay = time.Duration(f.Delay)
	return f.Fault, f.Fault.check()
}

// set gives a fault one member.
func (f *faultText) set(name, value string) error {
	if header, is := strings.CutPrefix(name, "header."); is {
		if f.Header == nil {
			f.Header = map[string]string{}
		}
		f.Header[header] = value
		return nil
	}
	if name == "delay" {
		return f.Delay.UnmarshalText([]byte(value))
	}
	return setMember(reflect.ValueOf(&f.Fault).Elem(), name, value)
}

// Set gives one of the knobs, by its name in JSON, a value.
func (k *Knobs) Set(name string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s is negative", name)
	}
	v, err := member(reflect.ValueOf(k).Elem(), name)
	if err == nil {
		v.SetInt(int64(d))
	}
	return err
}

// Set answers one of the open questions, by its name in JSON: "close_queued"
// or "close_queued=true", "notes_limit=1000".
func (u *Unknowns) Set(text string) error {
	name, value, given := strings.Cut(text, "=")
	if !given {
		value = "true"
	}
	return setMember(reflect.ValueOf(u).Elem(), name, value)
}

// member finds a field by its name in JSON.
func member(of reflect.Value, name string) (reflect.Value, error) {
	var names []string
	for i := range of.NumField() {
		tag, _, _ := strings.Cut(of.Type().Field(i).Tag.Get("json"), ",")
		if tag == name && tag != "" {
			return of.Field(i), nil
		}
		if tag != "" {
			names = append(names, tag)
		}
	}
	return reflect.Value{}, fmt.Errorf("nothing is called %q; there are %s", name, strings.Join(names, ", "))
}

// setMember gives a field a value written as text.
func setMember(of reflect.Value, name, value string) error {
	v, err := member(of, name)
	if err != nil {
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s is true or false, not %q", name, value)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%s is a number, not %q", name, value)
		}
		v.SetInt(int64(n))
	default:
		return fmt.Errorf("%s cannot be written like this; use JSON", name)
	}
	return nil
}
