-- +goose Up
ALTER TABLE ships ADD COLUMN port varchar(60) NOT NULL DEFAULT 'Bremen' AFTER name;
INSERT INTO ships (name) VALUES ('Rickmer; Rickmers');
ALTER TABLE ships RENAME COLUMN built TO built_on;

-- +goose Down
ALTER TABLE ships RENAME COLUMN built_on TO built;
ALTER TABLE ships DROP COLUMN port;
