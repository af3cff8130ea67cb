ALTER TABLE `ships` ADD `port` varchar(60) DEFAULT 'Bremen' NOT NULL AFTER `name`;--> statement-breakpoint
ALTER TABLE `ships` RENAME COLUMN `built` TO `built_on`;--> statement-breakpoint
INSERT INTO `ships` (`name`) VALUES ('Rickmer; Rickmers');
