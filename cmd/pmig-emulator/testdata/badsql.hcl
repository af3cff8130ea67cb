organization "acme" {
  database "shop" {
    branch "main" {
      sql = "CREATE TABEL users (id int NOT NULL, PRIMARY KEY (id))"
    }
  }
}
