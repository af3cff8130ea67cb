package gateway

import (
	"maps"
	"slices"
	"strings"
)

// credentialMarks occur in PlanetScale's secrets and in no other value: its
// host names, and the beginnings of tokens and passwords.
var credentialMarks = []string{"psdb.cloud", "pscale_tkn_", "pscale_oauth_", "pscale_pw_"}

// Environment gives the environment of a child process: parent without cloud
// credentials, and set on top. Withheld are PLANETSCALE_* and PMIG_*, whatever
// holds a PlanetScale host, token or password, and every variable whose value
// names one of hosts, unless pass lists its name or set gives it a value.
// withheld holds their names, sorted. Names that differ in case are different
// variables, but a credential's prefix is known in any case.
func Environment(parent []string, set map[string]string, pass []string, hosts []string) (env, withheld []string) {
	for _, e := range parent {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" { // Windows keeps each drive's folder under such names
			env = append(env, e)
			continue
		}
		if _, replaced := set[name]; replaced {
			continue
		}
		if !slices.Contains(pass, name) && secretive(name, value, hosts) {
			withheld = append(withheld, name)
			continue
		}
		env = append(env, e)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	slices.Sort(withheld)
	return env, slices.Compact(withheld)
}

func secretive(name, value string, hosts []string) bool {
	upper := strings.ToUpper(name)
	if strings.HasPrefix(upper, "PLANETSCALE_") || strings.HasPrefix(upper, "PMIG_") {
		return true
	}
	value = strings.ToLower(value)
	for _, m := range credentialMarks {
		if strings.Contains(value, m) {
			return true
		}
	}
	for _, h := range hosts {
		if h != "" && namesHost(value, strings.ToLower(h)) {
			return true
		}
	}
	return false
}

// namesHost says whether host stands in value as a whole: "db" is not in
// "db2" or "my-db.local".
func namesHost(value, host string) bool {
	for at := 0; ; {
		i := strings.Index(value[at:], host)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(host)
		if (i == 0 || !isHost(value[i-1])) && (end == len(value) || !isHost(value[end])) {
			return true
		}
		at = i + 1
	}
}

func isHost(c byte) bool {
	return c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z'
}
