# pmig starts its own emulated PlanetScale and keeps its data in this folder.
# For the real one: platform "planetscale" { organization = "your-org" }
platform "embedded" {
  data = ".pmig/embedded"
}

database "shop" {
  source "golang-migrate" {
    path = "migrations"
  }
}
