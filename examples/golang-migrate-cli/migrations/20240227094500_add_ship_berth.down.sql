DROP INDEX ships_berth ON ships;

ALTER TABLE ships DROP COLUMN berth_id;
