# Prints a JSON document as one path=value line per leaf: data.0.number=1
{ text = text $0 "\n" }

END { value("") }

# next token into tok; strings keep their quotes
function token(   m) {
	if (!match(text, /^[ \t\r\n]*("([^"\\]|\\.)*"|[][{}:,]|[^][{}:, \t\r\n"]+)/)) { tok = ""; return }
	tok = substr(text, RSTART, RLENGTH)
	text = substr(text, RSTART + RLENGTH)
	sub(/^[ \t\r\n]+/, "", tok)
}

function value(at,   key, i) {
	token()
	if (tok == "{") {
		for (token(); tok != "}" && tok != ""; token()) {
			if (tok == ",") continue
			key = unquote(tok)
			token()
			value(join(at, key))
		}
	} else if (tok == "[") {
		for (i = 0; text !~ /^[ \t\r\n]*]/ && text != ""; i++) {
			value(join(at, i))
			if (text ~ /^[ \t\r\n]*,/) sub(/^[ \t\r\n]*,/, "", text)
		}
		token()
	} else print at "=" unquote(tok)
}

function join(at, key) { return at == "" ? key : at "." key }

function unquote(s) {
	if (s !~ /^"/) return s
	s = substr(s, 2, length(s) - 2)
	gsub(/\\"/, "\"", s)
	gsub(/\\\//, "/", s)
	gsub(/\\n/, " ", s)
	return s
}
