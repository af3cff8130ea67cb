-- +goose Up
CREATE TABLE telescopes (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    label       VARCHAR(80)     NOT NULL,
    aperture_mm INT             NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY telescopes_label (label)
);

-- +goose Down
DROP TABLE telescopes;
