-- Harvesters ask for what changed since they last came (OAI-PMH), in order and in pages.
CREATE INDEX record_modified ON record (modified, id);
