-- Where a run goes on when the server that drives it ends: the number of rows that were put down by then, and what the
-- driver needs to know, as JSON.

ALTER TABLE harvest_run ADD COLUMN resume_rows INTEGER;
ALTER TABLE harvest_run ADD COLUMN resume TEXT;
