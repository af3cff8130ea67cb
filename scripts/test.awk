# Reads the output of go test -v and shows what go test shows without -v: a line
# for each package, and all of a package that failed. At the end: which tests
# were skipped and why, and how many passed.
#
# -v missing=FILE  what could not be installed, one a line
# -v ci=true       leave with 3 when a test was skipped for a missing tool

/^=== (RUN|CONT|NAME) / { current = $3; next }
/^=== PAUSE / { next }

/^ *--- (PASS|FAIL|SKIP): / {
	if ($2 == "PASS:") { passed++; next }
	if ($2 == "FAIL:") { failed++; failedHere++ }
	if ($2 == "SKIP:") {
		skipped++
		why = said[$3]
		if (why == "") why = "(no reason given)"
		if (!(why in count)) reasons[++nreasons] = why
		count[why]++
		example[why] = $3
		if (why ~ /not installed|PMIG_TEST_TOOLS/) tools++
		next
	}
}

/^ +[^ ]+\.go:[0-9]+: / {
	line = $0
	sub(/^ +[^ ]+: /, "", line)
	said[current] = line
}

/^(ok  |\?   )\t/ { print; fflush(); forget(); next }

/^FAIL\t/ {
	for (i = 1; i <= n; i++) print lines[i]
	print
	fflush()
	if (!failedHere) failed++
	forget()
	next
}

{ lines[++n] = $0 }

function forget() {
	n = 0
	failedHere = 0
	split("", said)
	current = ""
}

END {
	for (i = 1; i <= n; i++) print lines[i]
	while ((getline line < missing) > 0) {
		if (!titled++) print "\nnot installed:"
		print "  " line
	}
	if (nreasons) print "\nskipped:"
	for (i = 1; i <= nreasons; i++) {
		why = reasons[i]
		print "  " example[why] (count[why] > 1 ? " and " count[why] - 1 " more" : "") ": " why
	}
	printf "\ntotal: %d passed, %d failed, %d skipped\n", passed, failed, skipped
	if (ci == "true" && tools) {
		print "CI skips nothing for a missing tool" > "/dev/stderr"
		exit 3
	}
}
