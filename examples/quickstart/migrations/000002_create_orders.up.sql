CREATE TABLE orders (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    customer_id BIGINT UNSIGNED NOT NULL,
    state       VARCHAR(20)     NOT NULL DEFAULT 'open',
    total       DECIMAL(12, 2)  NOT NULL,
    placed_at   DATETIME        NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX orders_customer ON orders (customer_id, placed_at);
