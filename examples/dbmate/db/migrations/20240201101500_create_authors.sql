-- migrate:up
CREATE TABLE authors (
    id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    full_name VARCHAR(200)    NOT NULL,
    born_on   DATE            NULL,
    PRIMARY KEY (id)
);

-- migrate:down
DROP TABLE authors;
