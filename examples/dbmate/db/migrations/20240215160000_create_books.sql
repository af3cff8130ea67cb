-- migrate:up
CREATE TABLE books (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    author_id    BIGINT UNSIGNED NOT NULL,
    title        VARCHAR(300)    NOT NULL,
    isbn         CHAR(13)        NOT NULL,
    published_on DATE            NULL,
    PRIMARY KEY (id),
    UNIQUE KEY books_isbn (isbn),
    KEY books_author (author_id)
);

-- migrate:down
DROP TABLE books;
