// Asks an endpoint with Comunica, which browsers use, and joins two of its answers on this side.
// usage: NODE_PATH=… node comunica.mjs BASE
import { createRequire } from 'node:module';

const require = createRequire(process.env.COMUNICA_FOLDER + '/');
const { QueryEngine } = require('@comunica/query-sparql');
const base = process.argv[2];
const engine = new QueryEngine();
const count = async (query, source) => (await (await engine.queryBindings(query, { sources: [source] })).toArray()).length;
const volumes = 'SELECT ?r ?n WHERE { ?r a <https://w3id.org/esado#DataVolume> ; <https://schema.org/name> ?n }';
const named = { type: 'sparql', value: `${base}/sparql` };
const rows = await count(volumes, named);
if (rows < 9) throw new Error(`${rows} rows`);
// Found out to be an endpoint by its description of itself.
const discovered = await count(volumes, `${base}/sparql`);
if (discovered !== rows) throw new Error(`${discovered} rows instead of ${rows} when discovered`);
if (!(await engine.queryBoolean('ASK { ?s ?p ?o }', { sources: [named] }))) throw new Error('nothing is there');
const quads = await (await engine.queryQuads('CONSTRUCT WHERE { ?r a <https://w3id.org/esado#DataVolume> }', { sources: [named] })).toArray();
if (quads.length !== 9) throw new Error(`${quads.length} statements`);
console.log(`Comunica reads ${rows} rows`);
