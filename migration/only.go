package migration

import "slices"

// Only is the part of a delta that belongs to some migrations, for a deployment
// of which only these came through. ok is false where it cannot be cut: rows
// were changed or deleted, or a key is not there.
func (d Delta) Only(spec Spec, keys []string) (part Delta, ok bool) {
	if len(keys) == 0 {
		return Delta{}, false
	}
	if spec.Shape() == Pointer {
		return d.onlyTo(spec, keys[len(keys)-1])
	}
	if len(d.Update) > 0 || len(d.Delete) > 0 {
		return Delta{}, false
	}
	part = d
	part.Insert, part.Keys = nil, nil
	key := keyer(spec, d.Columns)
	for _, row := range d.Insert {
		if k := key(row); slices.Contains(keys, k) {
			part.Insert, part.Keys = append(part.Insert, row), append(part.Keys, k)
		}
	}
	return part, len(part.Keys) == len(keys)
}

// onlyTo is a pointer's delta that stops at an earlier version.
func (d Delta) onlyTo(spec Spec, key string) (Delta, bool) {
	at := at(d.Columns, spec.keyColumns())
	if len(at) != 1 || at[0] < 0 || len(d.Insert)+len(d.Update) != 1 || spec.order(key, d.To) > 0 {
		return Delta{}, false
	}
	part := d
	part.To = key
	move := func(row Row) Row {
		row = slices.Clone(row)
		row[at[0]] = Text(key)
		return row
	}
	if len(d.Insert) == 1 {
		part.Insert = []Row{move(d.Insert[0])}
	} else {
		part.Update = []Edit{{Before: d.Update[0].Before, After: move(d.Update[0].After)}}
	}
	return part, true
}
