package mariadb

import "os"

// sqlMode is MySQL 8's default without ONLY_FULL_GROUP_BY: MariaDB does not see functional dependence, so its version of that
// mode refuses queries that MySQL 8 takes.
const sqlMode = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// storageArgs are the options that the files of a data folder depend on: template and server must agree on them.
func storageArgs() []string {
	args := []string{
		"--no-defaults",
		"--innodb-data-file-path=ibdata1:4M:autoextend",
		"--innodb-autoextend-increment=1",
		"--innodb-log-file-size=4M",
		"--aria-log-file-size=8M",
		"--innodb-buffer-pool-dump-at-shutdown=0",
		"--innodb-buffer-pool-load-at-startup=0",
		// Writes must outlive the death of the server, not of the machine: the page cache is enough, and waiting for the disk
		// would make every CREATE TABLE slow.
		"--innodb-flush-method=nosync",
		"--innodb-flush-log-at-trx-commit=2",
		"--innodb-doublewrite=0",
		"--skip-sync-frm",
		"--debug-no-sync",
	}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root") // it refuses to run as root otherwise
	}
	return args
}

// serverArgs are the options of every server.
func serverArgs(version string) []string {
	return append(storageArgs(),
		"--version="+version,
		"--sql-mode="+sqlMode,
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_general_ci",
		"--default-time-zone=+00:00",
		"--skip-name-resolve",
		"--skip-log-bin",
		"--max-allowed-packet=64M", // PlanetScale's limit on a message
		"--max-connections=400",
		"--open-files-limit=8192",
		"--table-open-cache=600",
		"--performance-schema=OFF",
		"--innodb-stats-persistent=0",
		"--innodb-buffer-pool-size=8M",
		"--innodb-log-buffer-size=2M",
		"--innodb-read-io-threads=1",
		"--innodb-write-io-threads=1",
		"--innodb-use-native-aio=0",
		"--aria-pagecache-buffer-size=1M",
		"--key-buffer-size=64K",
	)
}
