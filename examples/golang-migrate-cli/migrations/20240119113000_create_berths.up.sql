CREATE TABLE berths (
    id       INT UNSIGNED NOT NULL AUTO_INCREMENT,
    quay     VARCHAR(40)  NOT NULL,
    length_m DECIMAL(6,1) NOT NULL,
    PRIMARY KEY (id)
);
