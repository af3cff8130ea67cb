ALTER TABLE ships
  DROP COLUMN port,
  RENAME COLUMN built_on TO built;
