CREATE TABLE users (
  id bigint NOT NULL,
  email varchar(190) NOT NULL,
  PRIMARY KEY (id)
);
