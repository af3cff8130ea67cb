INSERT INTO ships (name) VALUES ('Rickmer; Rickmers');
