package emulator

import (
	"errors"

	"github.com/pmig/pmig/emulator/mariadb"
)

// Auto opens the best engine for dir: the one whose data are there; in a new folder [MariaDB] where a server is installed, else
// [Memory].
func Auto(dir string) (Engine, error) {
	if dir != "" && engineOf(dir) == "memory" {
		return opened(NewMemory(dir))
	}
	e, err := NewMariaDB(dir)
	if errors.Is(err, mariadb.ErrNotFound) && (dir == "" || engineOf(dir) == "") {
		return opened(NewMemory(dir))
	}
	return opened(e, err)
}

// opened keeps the nil pointer of a failed open out of the interface.
func opened[E Engine](e E, err error) (Engine, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}
