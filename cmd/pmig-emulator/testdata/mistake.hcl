organization "acme" {
  database "shop" {
    colour = "red"
  }
}
