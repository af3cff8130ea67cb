DROP INDEX customers_country ON customers;

ALTER TABLE customers DROP COLUMN country;
