platform "embedded" {
  data = ".pmig/embedded"
}

database "observatory" {
  source "goose" {
    path    = "migrations"
    command = ["goose", "-env", "none", "-dir", "migrations", "up"]
    env = {
      GOOSE_DRIVER   = "mysql"
      GOOSE_DBSTRING = branch.migrator.dsn
    }
  }
}
