// Real files, as people publish them.
import type { Scenario } from '../scenario.ts'

export const real: Scenario = {
  name: 'real',
  feeds: [
    {
      case: 'films: JSON with spaces in names, mixed types, nulls',
      name: 'films',
      object: 'movies.json',
      fields: [
        'title string',
        'us_gross bigint',
        'worldwide_gross bigint',
        'release_date string',
        'running_time_min int',
        'director string',
        'rating double',
        'votes int',
      ],
      source_names: {
        title: 'Title',
        us_gross: 'US Gross',
        worldwide_gross: 'Worldwide Gross',
        release_date: 'Release Date',
        running_time_min: 'Running Time min',
        director: 'Director',
        rating: 'IMDB Rating',
        votes: 'IMDB Votes',
      },
      raw: { format: 'json', options: { bad_rows: 'rescue' } },
      bronze: { schema_policy: 'rescue' },
    },
    {
      case: 'weather of a city, by day',
      name: 'weather',
      object: 'weather.csv',
      fields: [
        'location string',
        'date date',
        'precipitation double',
        'temp_max decimal(4,1)',
        'temp_min decimal(4,1)',
        'wind double',
        'weather string',
      ],
    },
    {
      case: 'countries, and a delivery that changes',
      name: 'countries',
      object: 'countries.csv',
      fields: [
        'country string',
        'income bigint',
        'health double',
        'population bigint',
        'region string',
      ],
    },
  ],
  silver: [
    {
      case: 'days of the weather by place and day',
      name: 'days',
      from: ['b.weather'],
      load_type: 'merge',
      keys: ['location', 'date'],
      dedupe: true,
      select:
        'location, date, temp_max - temp_min as spread, upper(weather) as weather, year(date) as year',
      fields: ['location string', 'date date', 'spread decimal(5,1)', 'weather string', 'year int'],
    },
    {
      case: 'films that somebody rated',
      name: 'rated',
      select:
        "title, coalesce(director, 'unknown') as director, rating, votes, length(title) as letters",
      where: 'rating is not null',
      fields: ['title string', 'director string', 'rating double', 'votes int', 'letters int'],
    },
  ],
  gold: [
    {
      case: 'months of the weather',
      name: 'months',
      from: ['s.days'],
      query:
        'select location, year, month(date) as month, max(spread) as spread, count(distinct weather) as kinds from s.days group by location, year, month(date)',
      fields: ['location string', 'year int', 'month int', 'spread decimal(5,1)', 'kinds bigint'],
    },
    {
      case: 'directors, the first ten',
      name: 'directors',
      from: ['s.rated'],
      query:
        'select director, count(*) as films, sum(votes) as votes from s.rated group by director having count(*) > 2 order by films desc, director limit 10',
      fields: ['director string', 'films bigint', 'votes bigint'],
    },
  ],
  batches: [
    {
      'movies.json': { real: 'movies.json' },
      'weather.csv': { real: 'weather.csv' },
      'countries.csv': { real: 'gapminder-health-income.csv' },
    },
    { 'countries.csv': 'country,income,health,population,region\nAtlantis,,,0,\n' },
  ],
}
