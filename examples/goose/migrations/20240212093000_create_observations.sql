-- +goose Up
CREATE TABLE observations (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    telescope_id BIGINT UNSIGNED NOT NULL,
    target       VARCHAR(120)    NOT NULL,
    seen_at      DATETIME        NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX observations_telescope ON observations (telescope_id, seen_at);

-- +goose Down
DROP TABLE observations;
