# For the real thing: platform "planetscale" { organization = "your-org" }, and
# PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN in the environment.
# Nothing else changes.
platform "embedded" {
  data = ".pmig/embedded"
}

database "neptune" {
  branch "main" {
    production = true
  }
  branch "migrator" {
    parent = "main"
  }

  source "knex" {
    path    = "migrations"
    command = ["npx", "knex", "migrate:latest"]
    env     = { DATABASE_URL = branch.migrator.url }

    history "migrations" {}
  }
}
