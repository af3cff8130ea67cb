package gateway

import (
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pmig/pmig/mysqlproxy"
	"vitess.io/vitess/go/vt/sqlparser"
)

// functions are those that migration tools build lock names with.
var functions = map[string]func(args []string) string{
	"concat": func(a []string) string { return strings.Join(a, "") },
	"lower":  func(a []string) string { return strings.ToLower(strings.Join(a, "")) },
	"upper":  func(a []string) string { return strings.ToUpper(strings.Join(a, "")) },
	"lcase":  func(a []string) string { return strings.ToLower(strings.Join(a, "")) },
	"ucase":  func(a []string) string { return strings.ToUpper(strings.Join(a, "")) },
	"md5":    func(a []string) string { return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(a, "")))) },
	"sha":    func(a []string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(a, "")))) },
	"sha1":   func(a []string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(a, "")))) },
	"crc32": func(a []string) string {
		return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(strings.Join(a, "")))), 10)
	},
}

// computable says whether evaluate knows everything in an expression.
func computable(e sqlparser.Expr) bool {
	all := func(exprs ...sqlparser.Expr) bool {
		for _, e := range exprs {
			if e != nil && !computable(e) {
				return false
			}
		}
		return true
	}
	switch e := e.(type) {
	case *sqlparser.Literal:
		return e.Type == sqlparser.StrVal || e.Type == sqlparser.IntVal || e.Type == sqlparser.DecimalVal || e.Type == sqlparser.FloatVal
	case *sqlparser.NullVal, *sqlparser.Argument:
		return true
	case *sqlparser.LockingFunc:
		return all(e.Name, e.Timeout)
	case *sqlparser.UnaryExpr:
		return (e.Operator == sqlparser.UMinusOp || e.Operator == sqlparser.UPlusOp) && all(e.Expr)
	case *sqlparser.CastExpr:
		return all(e.Expr)
	case *sqlparser.IntroducerExpr:
		return all(e.Expr)
	case *sqlparser.ComparisonExpr:
		return (e.Operator == sqlparser.EqualOp || e.Operator == sqlparser.NotEqualOp) && all(e.Left, e.Right)
	case *sqlparser.IsExpr:
		return (e.Right == sqlparser.IsNullOp || e.Right == sqlparser.IsNotNullOp) && all(e.Left)
	case *sqlparser.FuncExpr:
		name := e.Name.Lowered()
		if _, ok := functions[name]; !ok {
			switch name {
			case "database", "schema", "connection_id", "coalesce", "ifnull", "if":
			default:
				return false
			}
		}
		return all(e.Exprs...)
	}
	return false
}

// evaluation is one run of a lockQuery.
type evaluation struct {
	locks *locks
	st    *mysqlproxy.Statement
	args  []mysqlproxy.Arg
}

func value(s string) *string { return &s }

func truth(b bool) *string {
	if b {
		return value("1")
	}
	return value("0")
}

// evaluate computes an expression that is computable; nil is NULL.
func (v *evaluation) evaluate(e sqlparser.Expr) (*string, *mysqlproxy.Error) {
	switch e := e.(type) {
	case *sqlparser.Literal:
		return value(e.Val), nil
	case *sqlparser.Argument:
		return v.argument(e)
	case *sqlparser.LockingFunc:
		return v.call(e)
	case *sqlparser.CastExpr:
		return v.evaluate(e.Expr)
	case *sqlparser.IntroducerExpr:
		return v.evaluate(e.Expr)
	case *sqlparser.UnaryExpr:
		x, err := v.evaluate(e.Expr)
		if x != nil && e.Operator == sqlparser.UMinusOp {
			if s, ok := strings.CutPrefix(*x, "-"); ok {
				return value(s), err
			}
			return value("-" + *x), err
		}
		return x, err
	case *sqlparser.ComparisonExpr:
		values, err := v.all(e.Left, e.Right)
		if err != nil || values[0] == nil || values[1] == nil {
			return nil, err
		}
		return truth(equal(*values[0], *values[1]) == (e.Operator == sqlparser.EqualOp)), nil
	case *sqlparser.IsExpr:
		x, err := v.evaluate(e.Left)
		return truth((x == nil) == (e.Right == sqlparser.IsNullOp)), err
	case *sqlparser.FuncExpr:
		return v.function(e)
	}
	return nil, nil
}

func equal(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return x == y
	}
	return strings.EqualFold(a, b)
}

func (v *evaluation) all(exprs ...sqlparser.Expr) ([]*string, *mysqlproxy.Error) {
	out := make([]*string, len(exprs))
	for i, e := range exprs {
		var err *mysqlproxy.Error
		if out[i], err = v.evaluate(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// argument gives the value of a question mark: the parser calls them v1, v2.
func (v *evaluation) argument(e *sqlparser.Argument) (*string, *mysqlproxy.Error) {
	n, err := strconv.Atoi(strings.TrimPrefix(e.Name, "v"))
	if err != nil || n < 1 || n > len(v.args) {
		return nil, &mysqlproxy.Error{Number: 1210, Message: "Incorrect arguments to EXECUTE"}
	}
	if a := v.args[n-1]; !a.Null {
		return value(a.Value), nil
	}
	return nil, nil
}

func (v *evaluation) function(e *sqlparser.FuncExpr) (*string, *mysqlproxy.Error) {
	name := e.Name.Lowered()
	if name == "if" && len(e.Exprs) == 3 {
		x, err := v.evaluate(e.Exprs[0])
		if err != nil {
			return nil, err
		}
		if x != nil && !equal(*x, "0") {
			return v.evaluate(e.Exprs[1])
		}
		return v.evaluate(e.Exprs[2])
	}
	switch name {
	case "database", "schema":
		if v.st.Database == "" {
			return nil, nil
		}
		return value(v.st.Database), nil
	case "connection_id":
		return value(strconv.FormatUint(uint64(v.st.BackendConn), 10)), nil
	case "coalesce", "ifnull":
		for _, x := range e.Exprs {
			if s, err := v.evaluate(x); s != nil || err != nil {
				return s, err
			}
		}
		return nil, nil
	}
	values, err := v.all(e.Exprs...)
	if err != nil {
		return nil, err
	}
	args := make([]string, len(values))
	for i, x := range values {
		if x == nil {
			return nil, nil
		}
		args[i] = *x
	}
	f := functions[name]
	if f == nil {
		return nil, nil
	}
	return value(f(args)), nil
}

// call carries out one lock function for the connection.
func (v *evaluation) call(e *sqlparser.LockingFunc) (*string, *mysqlproxy.Error) {
	if e.Type == sqlparser.ReleaseAllLocks {
		return value(strconv.Itoa(v.locks.releaseAll(v.st.Conn))), nil
	}
	raw, err := v.evaluate(e.Name)
	if err != nil {
		return nil, err
	}
	name, err := lockName(raw)
	if err != nil {
		return nil, err
	}
	switch e.Type {
	case sqlparser.GetLock:
		wait := value("0")
		if e.Timeout != nil {
			if wait, err = v.evaluate(e.Timeout); err != nil {
				return nil, err
			}
		}
		got, err := v.locks.get(v.st.Context(), v.st.Conn, v.st.BackendConn, name, lockWait(wait))
		if err != nil {
			return nil, err
		}
		return truth(got), nil
	case sqlparser.ReleaseLock:
		released, known := v.locks.release(v.st.Conn, name)
		if !known {
			return nil, nil
		}
		return truth(released), nil
	}
	backend, held := v.locks.holder(name)
	if e.Type == sqlparser.IsFreeLock {
		return truth(!held), nil
	}
	if !held {
		return nil, nil
	}
	return value(strconv.FormatUint(uint64(backend), 10)), nil
}

// lockWait reads the timeout of GET_LOCK: seconds, negative for ever.
func lockWait(s *string) time.Duration {
	if s == nil {
		return 0
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(*s), 64)
	switch {
	case err != nil:
		return 0
	case seconds < 0, seconds > float64(math.MaxInt64/int64(time.Second)):
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}
