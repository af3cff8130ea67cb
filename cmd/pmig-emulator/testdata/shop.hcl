token "id" {
  secret = "secret"
  name   = "ci"
}

token "readerreader" {
  secret      = "pscale_tkn_reader"
  permissions = ["read_database", "read_branch"]
}

organization "acme" {
  database "store" {
    migration_table_name = "goose_db_version"
    automatic_migrations = true

    branch "main" {
      sql  = file("shop.sql")
      rows = {
        users = [{ id = 1, email = "a@example.test" }]
      }
    }
    branch "work" {
      sql = "ALTER TABLE users ADD COLUMN nick varchar(40)"
    }
  }
}
