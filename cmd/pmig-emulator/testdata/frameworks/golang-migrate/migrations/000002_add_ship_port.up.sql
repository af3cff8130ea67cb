ALTER TABLE ships
  ADD COLUMN port varchar(60) NOT NULL DEFAULT 'Bremen' AFTER name,
  RENAME COLUMN built TO built_on;
