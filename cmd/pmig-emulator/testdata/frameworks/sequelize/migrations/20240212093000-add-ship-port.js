module.exports = {
  async up(queryInterface, Sequelize) {
    await queryInterface.addColumn('ships', 'port', {
      type: Sequelize.STRING(60),
      allowNull: false,
      defaultValue: 'Bremen',
      after: 'name',
    });
    await queryInterface.renameColumn('ships', 'built', 'built_on');
    await queryInterface.bulkInsert('ships', [{ name: 'Rickmer; Rickmers' }]);
  },
  async down(queryInterface) {
    await queryInterface.renameColumn('ships', 'built_on', 'built');
    await queryInterface.removeColumn('ships', 'port');
  },
};
