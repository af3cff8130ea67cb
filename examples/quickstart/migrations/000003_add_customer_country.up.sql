ALTER TABLE customers ADD COLUMN country CHAR(2) NULL;

CREATE INDEX customers_country ON customers (country);
