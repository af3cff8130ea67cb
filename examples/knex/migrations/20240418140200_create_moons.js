exports.up = (knex) =>
  knex.schema.createTable('moons', (table) => {
    table.bigIncrements('id');
    // No foreign key: the application keeps the two together.
    table.bigInteger('discovered_by').unsigned().nullable().index('moons_discovered_by');
    table.string('designation', 40).notNullable().unique();
    table.decimal('radius_km', 8, 2).notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });

exports.down = (knex) => knex.schema.dropTable('moons');
