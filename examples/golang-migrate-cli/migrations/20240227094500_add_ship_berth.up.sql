ALTER TABLE ships ADD COLUMN berth_id INT UNSIGNED NULL;

CREATE INDEX ships_berth ON ships (berth_id);
