platform "embedded" {
  data = ".pmig/embedded"
}

database "library" {
  source "dbmate" {
    path    = "db/migrations"
    command = ["dbmate", "--no-dump-schema", "--migrations-dir", "db/migrations", "migrate"]
    env     = { DATABASE_URL = branch.migrator.url }
  }
}
