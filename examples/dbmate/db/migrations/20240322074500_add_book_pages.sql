-- migrate:up
ALTER TABLE books ADD COLUMN pages INT UNSIGNED NULL;

-- migrate:down
ALTER TABLE books DROP COLUMN pages;
