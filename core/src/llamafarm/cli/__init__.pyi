from llamafarm.cli.app import beside_cwd as beside_cwd
from llamafarm.cli.app import open_farm as open_farm
from llamafarm.cli.output import plain as plain
from llamafarm.cli.output import print_json as print_json
from llamafarm.cli.output import print_table as print_table
from llamafarm.cli.table_file import TableRow as TableRow
from llamafarm.cli.table_file import read_table_file as read_table_file
