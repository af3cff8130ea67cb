CREATE TABLE `ships` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`name` varchar(120) NOT NULL,
	`built` date,
	CONSTRAINT `ships_id` PRIMARY KEY(`id`),
	CONSTRAINT `ships_name` UNIQUE(`name`)
);
