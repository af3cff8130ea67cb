-- migrate:up
CREATE TABLE ships (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  name varchar(120) NOT NULL,
  built date DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY ships_name (name)
);

-- migrate:down
DROP TABLE ships;
