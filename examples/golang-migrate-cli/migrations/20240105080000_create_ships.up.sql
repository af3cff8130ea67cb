CREATE TABLE ships (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    imo_number CHAR(7)         NOT NULL,
    call_sign  VARCHAR(10)     NULL,
    title      VARCHAR(120)    NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY ships_imo_number (imo_number)
);
