platform "embedded" {
  data = ".pmig/embedded"
}

# Without a command pmig runs these files by itself, as in ../quickstart. With
# one it runs the tool that the team knows. That tool reads its database from
# the command line only; what stands there is the gateway's one-time password.
database "harbour" {
  source "golang-migrate" {
    path = "migrations"
    command = [
      "migrate", "-path", "migrations",
      "-database", "mysql://${branch.migrator.dsn}?x-no-lock=true", "up",
    ]
  }
}
