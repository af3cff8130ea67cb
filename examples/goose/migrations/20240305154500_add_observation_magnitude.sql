-- +goose Up
ALTER TABLE observations ADD COLUMN magnitude DECIMAL(5, 2) NULL;

-- +goose Down
ALTER TABLE observations DROP COLUMN magnitude;
