exports.up = async (knex) => {
  await knex.schema.alterTable('ships', (t) => {
    t.string('port', 60).notNullable().defaultTo('Bremen').after('name');
    t.renameColumn('built', 'built_on');
  });
  await knex('ships').insert({ name: 'Rickmer; Rickmers' });
};

exports.down = (knex) =>
  knex.schema.alterTable('ships', (t) => {
    t.renameColumn('built_on', 'built');
    t.dropColumn('port');
  });
