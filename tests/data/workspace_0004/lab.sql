BEGIN TRANSACTION;
CREATE TABLE agent_versions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	agent_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	checkpoint_id INTEGER, 
	path TEXT NOT NULL, 
	experiment VARCHAR(255) NOT NULL, 
	algorithm_id INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, run_id INTEGER, 
	CONSTRAINT fk_agent_versions_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id), 
	CONSTRAINT fk_agent_versions_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_agent_versions_checkpoint_id FOREIGN KEY(checkpoint_id) REFERENCES checkpoints (id), 
	CONSTRAINT uq_agent_versions_agent_id_number UNIQUE (agent_id, number)
);
INSERT INTO "agent_versions" VALUES(1,1,1,1,'agents/0000002048-7c4fa6be82bf47bf8d19878b5b1b4725-4bdd16f11ad9eeae','ppo',7,1.7958635947154407501e+09,2);
INSERT INTO "agent_versions" VALUES(2,1,2,1,'agents/0000002048-406ffdb2f78248b5a296dd007018af50-4bdd16f11ad9eeae','ppo',7,1.79586360148651480676e+09,3);
CREATE TABLE agents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT uq_agents_name UNIQUE (name)
);
INSERT INTO "agents" VALUES(1,'balancer','Keeps a pole up.','Undeployed',2,1.7958635947154407501e+09);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE algorithms (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	spec JSON NOT NULL, 
	path TEXT, 
	root TEXT, 
	value TEXT, 
	created_at FLOAT NOT NULL, python VARCHAR(64), 
	CONSTRAINT uq_algorithms_name_digest UNIQUE (name, digest)
);
INSERT INTO "algorithms" VALUES(1,'DPO','7af749b104cff89786f44e85797bc52cf819950f4aa47726756096d38eeeb93b','{"name": "DPO", "produces": ["lm"], "accepts": [["init+reference", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.dpo:dpo',NULL,NULL,1.79586359148732805247e+09,NULL);
INSERT INTO "algorithms" VALUES(2,'DQN','6c4bc20c5fb8e06d1db8435437d09ab5ebbd5afa51456478bcca24aa4bfca88e','{"name": "DQN", "produces": ["policy", "q:dqn"], "accepts": [["weights", ["q:dqn"], ["observation", "action", "network"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.dqn:dqn',NULL,NULL,1.79586359168278789522e+09,NULL);
INSERT INTO "algorithms" VALUES(3,'GRPO','56660c4230d213447b178100cab05e611df158da21bd28fb418491e016ca19dc','{"name": "GRPO", "produces": ["lm"], "accepts": [["init+reference", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.grpo:grpo',NULL,NULL,1.79586359170439648622e+09,NULL);
INSERT INTO "algorithms" VALUES(4,'LatentPPO','a38014a0337609f7179f32048765d1bad418be1716c65a222e459be536cf1a44','{"name": "LatentPPO", "produces": ["latent-policy", "policy"], "accepts": [["decoder", ["decoder"], ["!latent_dim", "action"]], ["weights", ["latent-policy"], ["observation", "action", "network"]]], "scratch": false, "score": "max"}','pipeline_widgets.algorithms.latent_ppo:latent_ppo',NULL,NULL,1.79586359176529550556e+09,NULL);
INSERT INTO "algorithms" VALUES(5,'SFT','518bb370c7d1fb6e4236c276454d73bef00545d5610a8e686e2f52d072cd9cca','{"name": "SFT", "produces": ["lm"], "accepts": [["weights", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.sft:sft',NULL,NULL,1.79586359178249835972e+09,NULL);
INSERT INTO "algorithms" VALUES(6,'Supervised','58c9aebee214a9cba41dbd71138c80f3719ffadc8d7970d6f0f487d899a69fe2','{"name": "Supervised", "produces": ["decoder", "model:supervised"], "accepts": [["weights", ["model:supervised"], ["dataset", "network", "latent_dim", "action"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.supervised:supervised',NULL,NULL,1.79586359182230162617e+09,NULL);
INSERT INTO "algorithms" VALUES(7,'PPO','cc80f7b7a19158dbcda9337b30d81dfd25ce09d1b3a94880db1c6698358f4f6a','{"name": "PPO", "produces": ["actor-critic:ppo", "policy"], "accepts": [["weights", ["actor-critic:ppo"], ["observation", "action", "network"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.ppo:ppo',NULL,NULL,1.79586359186447906493e+09,NULL);
INSERT INTO "algorithms" VALUES(8,'Walk','ee15b04d3409a4f230429dfc11f4c48132b0f677f4e661a91f3de91c03d415a6','{"name": "Walk", "produces": ["path"], "accepts": [["weights", ["path"], []]], "scratch": true, "score": "max"}',NULL,NULL,'b64:gAWV3xIAAAAAAACMJHBpcGVsaW5lX3dpZGdldHMuYWxnb3JpdGhtcy5yZWdpc3RyeZSMCUFsZ29yaXRobZSTlCmBlH2UKIwEc3BlY5SMJXBpcGVsaW5lX3dpZGdldHMuZG9tYWluLmNvbXBhdGliaWxpdHmUjA1BbGdvcml0aG1TcGVjlJOUKYGUXZQojARXYWxrlCiMBHBhdGiUkZRoBowEUG9ydJSTlCmBlF2UKIwHd2VpZ2h0c5QoaAyRlCllYoWUiIwDbWF4lGVijAV0cmFpbpSMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwOX21ha2VfZnVuY3Rpb26Uk5QoaBeMDV9idWlsdGluX3R5cGWUk5SMCENvZGVUeXBllIWUUpQoSwFLAEsASwNLCEoDAAABQtIBAACXAHQBAAAAAAAAAAAAAHwAagEAAAAAAAAAAGQBegAAAHwAagIAAAAAAAAAAGoDAAAAAAAAAABkAXoAAACmAgAAqwIAAAAAAAAAAEQAXaV9AXwAoAQAAAAAAAAAAAAAAAAAAAAAAAAAAHwBfABqAgAAAAAAAAAAagMAAAAAAAAAAHwBZAJ6CwAAZAN8AXoLAACsBKYEAACrBAAAAAAAAAAAAQB8AKAFAAAAAAAAAAAAAAAAAAAAAAAAAAB8AaYBAACrAQAAAAAAAAAANQB9AnwCZAV6CwAAoAYAAAAAAAAAAAAAAAAAAAAAAAAAAHwBmwBkBnQPAAAAAAAAAAAAAGoHAAAAAAAAAACmAAAAqwAAAAAAAAAAAJsAZAedBKYBAACrAQAAAAAAAAAAAQBkCGQIZAimAgAAqwIAAAAAAAAAAAEAbgsjADEAcwR3AngDWQB3AQEAWQABAAEAdA8AAAAAAAAAAAAAaggAAAAAAAAAAHwAagIAAAAAAAAAAGoJAAAAAAAAAACmAQAAqwEAAAAAAAAAAAEAjKZ8AGoCAAAAAAAAAABqCgAAAAAAAAAAcg90FwAAAAAAAAAAAABkCaYBAACrAQAAAAAAAAAAggFkCFMAlCiMRFdhbGssIHdpdGggYSBjaGVja3BvaW50IGF0IGVhY2ggc3RlcCB0aGF0IG5vIG90aGVyIHJ1biB3cml0ZXMgYWdhaW4ulEsBSwpHP/AAAAAAAACMBXRvdGFslIwQZXZhbHVhdGlvbl9zY29yZZSMBGxvc3OUh5SMCXBsYWNlLnR4dJSMBCBhdCCUjAEKlE6MEnRoZSBicmlkZ2UgaXMgZG93bpR0lCiMBXJhbmdllIwKc3RhcnRfc3RlcJSMBmNvbmZpZ5SMBXN0ZXBzlIwGcmVwb3J0lIwKY2hlY2twb2ludJSMCndyaXRlX3RleHSUjAR0aW1llIwFc2xlZXCUjARyZXN0lIwEZmFpbJSMClZhbHVlRXJyb3KUdJSMA2N0eJSMBHN0ZXCUjAZmb2xkZXKUh5SMEi90bXAvb2xkZXIvbWFrZS5weZSMBHdhbGuUjAR3YWxrlEsyQjgBAACAAPUGABEWkGOUbqBx0RYoqCOsKtQqOrhR0So+0RA/1BA/8AAEBSTwAAQFJIgE2AgLjwqKCpA0mHOcetQfL8AkyBLBKdBSVdBYXNFSXIgK0Qhd1Ahd0Ahd2A0Qj16KXphE0Q0h1A0h8AABCUwBoFbYDROQa9ENIdcMLdIMLbAU0C5K0C5KvTS8Obk7vDvQLkrQLkrQLkrRDEvUDEvQDEvwAwEJTAHwAAEJTAHwAAEJTAHxAAEJTAH0AAEJTAHwAAEJTAHwAAEJTAHwAAEJTAHwAAEJTAHwAAEJTAHwAAEJTAH4+PjwAAEJTAHwAAEJTAHwAAEJTAHwAAEJTAHlCAyMCpAzlDqUP9EII9QII9AII9AII9gHCoR6hH/wAAEFL90OGNAZLdEOLtQOLtAILvADAQUv8AABBS+UQxLBJjBCIgXCIgRCJgnCKQFCJgmUKSl0lFKUfZQojAtfX3BhY2thZ2VfX5ROjAhfX25hbWVfX5SMCF9fbWFpbl9flIwIX19maWxlX1+UjBIvdG1wL29sZGVyL21ha2UucHmUdU5OTnSUUpRoF4wSX2Z1bmN0aW9uX3NldHN0YXRllJOUaEl9lH2UKGhEjAR3YWxrlIwMX19xdWFsbmFtZV9flIwEd2Fsa5SMD19fYW5ub3RhdGlvbnNfX5R9lChoN4wPcHcuVHJhaW5Db250ZXh0lIwGcmV0dXJulIwETm9uZZR1jA5fX2t3ZGVmYXVsdHNfX5ROjAxfX2RlZmF1bHRzX1+UTowKX19tb2R1bGVfX5RoRYwHX19kb2NfX5RoIIwLX19jbG9zdXJlX1+UTowXX2Nsb3VkcGlja2xlX3N1Ym1vZHVsZXOUXZSMC19fZ2xvYmFsc19flH2UaDFoF4wJc3ViaW1wb3J0lJOUaDGFlFKUc3WGlIZSMGgsaBeMFF9tYWtlX3NrZWxldG9uX2NsYXNzlJOUKIwIYnVpbHRpbnOUjAR0eXBllJOUaAtoZowGb2JqZWN0lJOUhZR9lGhYaEVzjCA1ZmJiNGU0NmU1MzM0YTIwYTFhYmI5MDNkYzUxMWIxNpROdJRSlGgXjA9fY2xhc3Nfc2V0c3RhdGWUk5Rob32UKIwPX19hbm5vdGF0aW9uc19flH2UKGgtjANpbnSUaDSMBGJvb2yUaDOMBWZsb2F0lHWMFF9fZGF0YWNsYXNzX2ZpZWxkc19flH2UKGgtjAtkYXRhY2xhc3Nlc5SMBUZpZWxklJOUKYGUTn2UKIwEbmFtZZRoLYwEdHlwZZRodYwHZGVmYXVsdJRLA4wPZGVmYXVsdF9mYWN0b3J5lGh6jAdNSVNTSU5HlJOUjARyZXBylIiMBGhhc2iUTowEaW5pdJSIjAdjb21wYXJllIiMCG1ldGFkYXRhlGgbjBBNYXBwaW5nUHJveHlUeXBllIWUUpR9lIWUUpSMB2t3X29ubHmUiYwLX2ZpZWxkX3R5cGWUaBeMIl9nZXRfZGF0YWNsYXNzX2ZpZWxkX3R5cGVfc2VudGluZWyUk5SMBl9GSUVMRJSFlFKUdYaUYmg0aHwpgZROfZQoaH9oNGiAaHZogYlogmiEaIWIaIZOaIeIaIiIaIloj2iQiWiRaJZ1hpRiaDNofCmBlE59lChof2gzaIBod2iBRwAAAAAAAAAAaIJohGiFiGiGTmiHiGiIiGiJaI9okIlokWiWdYaUYnWMFF9fZGF0YWNsYXNzX3BhcmFtc19flGh6jBBfRGF0YWNsYXNzUGFyYW1zlJOUKYGUTn2UKGiHiGiFiIwCZXGUiIwFb3JkZXKUiYwLdW5zYWZlX2hhc2iUiYwGZnJvemVulIl1hpRijAdfX2RvY19flIyNSG93IGZhciB0byB3YWxrLCBhbmQgd2hhdCBoYXBwZW5zIG9uIHRoZSB3YXkuCgogICAgQSBjbGFzcyBvZiBweWRhbnRpYydzIHdvdWxkIGJlIHBpY2tsZWQgd2l0aCB0aGUgaW50ZXJuYWxzIG9mIG9uZSB2ZXJzaW9uIG9mIHB5ZGFudGljLgogICAglIwGX19lcV9flGgZKGgeKEsCSwBLAEsCSwRLE0OAlwB8AWoAAAAAAAAAAAB8AGoAAAAAAAAAAAB1AHIqfABqAQAAAAAAAAAAfABqAgAAAAAAAAAAfABqAwAAAAAAAAAAZgN8AWoBAAAAAAAAAAB8AWoCAAAAAAAAAAB8AWoDAAAAAAAAAABmA2sCAAAAAFMAdAgAAAAAAAAAAAAAUwCUToWUKIwJX19jbGFzc19flGgtaDRoM4wOTm90SW1wbGVtZW50ZWSUdJSMBHNlbGaUjAVvdGhlcpSGlIwOPGR5bmFtaWMtY29kZT6UjAZfX2VxX1+UjB1fX2NyZWF0ZV9mbl9fLjxsb2NhbHM+Ll9fZXFfX5RLAkM8gADYBQqEX5gEnA7QBSbQBSbYCw+MOpBklGmgBKQJ0AorqGWsa7glvCrAVcRa0C1R0gpR0ANR3QkX0AIXlEMAlCkpdJRSlGhCTk5OdJRSlGhLaLt9lH2UKGhEjAZfX2VxX1+UaE+MC1dhbGsuX19lcV9flGhRfZRoVk5oV05oWGhFaFlOaFpOaFtdlGhdfZR1hpSGUjCMCF9faGFzaF9flE6MCF9faW5pdF9flGgZKGgeKEsESwBLAEsESwJLE0MwlwB8AXwAXwAAAAAAAAAAAHwCfABfAQAAAAAAAAAAfAN8AF8CAAAAAAAAAABkAFMAlE6FlGgtaDRoM4eUKGiwaC1oNGgzdJSMDjxkeW5hbWljLWNvZGU+lIwIX19pbml0X1+UjB9fX2NyZWF0ZV9mbl9fLjxsb2NhbHM+Ll9faW5pdF9flEsCQxuAANgNEoAkhCrYDBCAJIQp2AwQgCSEKYApgCmUaLcpKXSUUpRoQk5OTnSUUpRoS2jRfZR9lChoRIwIX19pbml0X1+UaE+MDVdhbGsuX19pbml0X1+UaFF9lChoLWh1aDRodmgzaHdoVE51aFZOaFdLA4lHAAAAAAAAAACHlGhYaEVoWU5oWk5oW12UaF19lHWGlIZSMIwOX19tYXRjaF9hcmdzX1+UaC1oNGgzh5SMCl9fbW9kdWxlX1+UaEWMCF9fcmVwcl9flGgZKGgeKEsBSwBLAEsDSwVLE0P6lQKXAHQBAAAAAAAAAAAAAHwApgEAAKsBAAAAAAAAAAB0AwAAAAAAAAAAAABqAgAAAAAAAAAApgAAAKsAAAAAAAAAAABmAn0BfAGJA3YAcgJkAVMAiQOgAwAAAAAAAAAAAAAAAAAAAAAAAAAAfAGmAQAAqwEAAAAAAAAAAAEACQACAIkEfACmAQAAqwEAAAAAAAAAAH0CiQOgBAAAAAAAAAAAAAAAAAAAAAAAAAAAfAGmAQAAqwEAAAAAAAAAAAEAbhojAIkDoAQAAAAAAAAAAAAAAAAAAAAAAAAAAHwBpgEAAKsBAAAAAAAAAAABAHcAeANZAHcBfAJTAJROjAMuLi6UhpQojAJpZJSMB190aHJlYWSUjAlnZXRfaWRlbnSUjANhZGSUjAdkaXNjYXJklHSUaLCMA2tleZSMBnJlc3VsdJSHlIw6L3Jvb3QvLnB5ZW52L3ZlcnNpb25zLzMuMTEuNy9saWIvcHl0aG9uMy4xMS9kYXRhY2xhc3Nlcy5weZSMB3dyYXBwZXKUjCBfcmVjdXJzaXZlX3JlcHIuPGxvY2Fscz4ud3JhcHBlcpRL6UOK+IAA5Q4QkBSJaIxonQfUGCnRGCvUGCvQDiuIA9gLDpAs0Ase0Ase2BMYkDXYCBTXCBjSCBiYE9EIHdQIHdAIHfACAwkm2BUikF2gNNEVKNQVKIhG4AwY1wwg0gwgoBPRDCXUDCXQDCXQDCX4iEzXDCDSDCCgE9EMJdQMJdAMJdAMJfj4+NgPFYgNlEMMwQALQSEAwSEXQTgDlIwMcmVwcl9ydW5uaW5nlIwNdXNlcl9mdW5jdGlvbpSGlCl0lFKUfZQoaEOMAJRoRGh6aEaMOi9yb290Ly5weWVudi92ZXJzaW9ucy8zLjExLjcvbGliL3B5dGhvbjMuMTEvZGF0YWNsYXNzZXMucHmUdU5OaBeMEF9tYWtlX2VtcHR5X2NlbGyUk5QpUpRo+SlSlIaUdJRSlGhLaP59lIwLX193cmFwcGVkX1+UaBkoaB4oSwFLAEsASwFLCEsTQ1KXAHwAagAAAAAAAAAAAGoBAAAAAAAAAABkAXwAagIAAAAAAAAAAJsCZAJ8AGoDAAAAAAAAAACbAmQDfABqBAAAAAAAAAAAmwJkBJ0HegAAAFMAlChOjAcoc3RlcHM9lIwHLCBmYWlsPZSMBywgcmVzdD2UjAEplHSUKGitaE9oLWg0aDN0lGiwhZSMDjxkeW5hbWljLWNvZGU+lIwIX19yZXByX1+UjB9fX2NyZWF0ZV9mbl9fLjxsb2NhbHM+Ll9fcmVwcl9flEsCQzaAANgJDYwe1Akk0CdosBS0GtAnaNAnaMBkxGnQJ2jQJ2jQWl7UWmPQJ2jQJ2jQJ2jRCWjQAmiUaLcpKXSUUpRoQk5OTnSUUpRoS2oQAQAAfZR9lChoRIwIX19yZXByX1+UaE+MH19fY3JlYXRlX2ZuX18uPGxvY2Fscz4uX19yZXByX1+UaFF9lGhWTmhXTmhYaEVoWU5oWk5oW12UaF19lHWGlIZSMHN9lChoRIwIX19yZXByX1+UaE+MDVdhbGsuX19yZXByX1+UaFFqFQEAAGhWTmhXTmhYaEVoWU5oWmgXjApfbWFrZV9jZWxslJOUj5SFlFKUah0BAABqEAEAAIWUUpSGlGhbXZRoXX2UaONoYGjjhZRSlHN1hpSGUjCMBGZhaWyUiYwEcmVzdJRHAAAAAAAAAACMBXN0ZXBzlEsDdX2UhpSGUjCMCXNpZ25hdHVyZZROjAdwcmVkaWN0lE51Yn2UhpQu',1.79586360179508662225e+09,'cpython 3.11');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	training_score FLOAT, 
	evaluation_score FLOAT, 
	signature JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT fk_checkpoints_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT uq_checkpoints_run_id_step UNIQUE (run_id, step)
);
INSERT INTO "checkpoints" VALUES(1,1,2048,'runs/00000001/checkpoints/0000002048-4bdd16f11ad9eeae',20268,'4bdd16f11ad9eeae4e870a3887684508fa5fddd18ce27caa2c47ea53c9e37b6d',2.21470588235294130186e+01,99.46875,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.79586359466969037058e+09);
INSERT INTO "checkpoints" VALUES(2,1,4096,'runs/00000001/checkpoints/0000004096-23e2847ca212cf32',20268,'23e2847ca212cf329395c3a8ed149d981c1b149339ca4a89a2b77aad8f72278d',27.22,83.5625,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.79586359466969037058e+09);
INSERT INTO "checkpoints" VALUES(3,4,1,'runs/00000004/checkpoints/0000000001-94ed39d90c29a0a8',24,'94ed39d90c29a0a8e9075c0d41088868c0bfd56037e56fcbe5d641c232a041f5',NULL,0.1,'{}',1.7958636067652947902e+09);
INSERT INTO "checkpoints" VALUES(4,4,2,'runs/00000004/checkpoints/0000000002-d54985beb38e0a28',24,'d54985beb38e0a284759bb49102500105d059c267f94a1739c8f702f43edbd5c',NULL,0.2,'{}',1.7958636067652947902e+09);
INSERT INTO "checkpoints" VALUES(5,4,3,'runs/00000004/checkpoints/0000000003-c59c6c66fcd5a196',23,'c59c6c66fcd5a1969a0e5a836d466845737921cfb49a9326933f78e86fcd4f31',NULL,0.3,'{}',1.7958636067652947902e+09);
INSERT INTO "checkpoints" VALUES(6,5,1,'runs/00000005/checkpoints/0000000001-a7b29159ef68ccf1',23,'a7b29159ef68ccf10f65a716f78949cfd33f3534e130127427226f7dbd3ee334',NULL,0.1,'{}',1.7958636112427308559e+09);
INSERT INTO "checkpoints" VALUES(7,5,2,'runs/00000005/checkpoints/0000000002-209976280e70714c',24,'209976280e70714ce63354b8089c71ed1a70d960fa2a209c884895f1a8e329f1',NULL,0.2,'{}',1.7958636112427308559e+09);
INSERT INTO "checkpoints" VALUES(8,5,3,'runs/00000005/checkpoints/0000000003-63de30a9d1925dec',24,'63de30a9d1925dec2c0af48c2a7a5b31b3eae995104af1cdb1861965b7c2b140',NULL,0.3,'{}',1.7958636112427308559e+09);
INSERT INTO "checkpoints" VALUES(9,6,1,'runs/00000006/checkpoints/0000000001-824377470994026a',24,'824377470994026af7d28ee7c3e11dd414a451128e14cfa2682a58df821d1e66',NULL,0.1,'{}',1.79586361512738776208e+09);
INSERT INTO "checkpoints" VALUES(10,6,2,'runs/00000006/checkpoints/0000000002-ad14a7a2caca1fc8',24,'ad14a7a2caca1fc826508efa1692636caaa90f24103b727c140edffcc7a7714f',NULL,0.2,'{}',1.79586361512738776208e+09);
INSERT INTO "checkpoints" VALUES(11,6,3,'runs/00000006/checkpoints/0000000003-342cf20f81356ae0',23,'342cf20f81356ae0c4478f046daddef0b61f10773419df0796b3031bca462d75',NULL,0.3,'{}',1.79586361512738776208e+09);
INSERT INTO "checkpoints" VALUES(12,7,1,'runs/00000007/checkpoints/0000000001-8c3063650f4358f1',23,'8c3063650f4358f18123236533d95f8932b4e800e4e7ca53aea93809a1384abc',NULL,0.1,'{}',1.79586361922017860408e+09);
INSERT INTO "checkpoints" VALUES(13,7,2,'runs/00000007/checkpoints/0000000002-127e8b0b7656a793',24,'127e8b0b7656a793a40c347ed31c1af34f42762c6cc0f1ff4bc83d727630bd96',NULL,0.2,'{}',1.79586361922017860408e+09);
INSERT INTO "checkpoints" VALUES(14,7,3,'runs/00000007/checkpoints/0000000003-c978d486fd898b7a',24,'c978d486fd898b7a5c4dd89e7d9ea1ff3f37385636c518997b1091db6bc7d3bd',NULL,0.3,'{}',1.79586361922017860408e+09);
INSERT INTO "checkpoints" VALUES(15,8,1,'runs/00000008/checkpoints/0000000001-60463a466662dd68',24,'60463a466662dd686c5c8ec4d4840fcf8a68d70703c1a3a156e9a14765ef7571',NULL,0.1,'{}',1.79586362402942037582e+09);
INSERT INTO "checkpoints" VALUES(16,8,2,'runs/00000008/checkpoints/0000000002-0e593b7b188ed917',23,'0e593b7b188ed91794c11103c997b4e8dbb252c2c34ca935e03cd19cdefd4f50',NULL,0.2,'{}',1.79586362402942037582e+09);
INSERT INTO "checkpoints" VALUES(17,8,3,'runs/00000008/checkpoints/0000000003-3f7c2b385152dc84',24,'3f7c2b385152dc84cfbb6a8965c725bdc29f7066a14ccc605e912a94b4db6921',NULL,0.3,'{}',1.79586362402942037582e+09);
INSERT INTO "checkpoints" VALUES(18,8,4,'runs/00000008/checkpoints/0000000004-6a1ed5f860a6f336',24,'6a1ed5f860a6f3366c94d0286aaeb9ee1e5501cac19d87dbb7b7353779f86eb0',NULL,0.4,'{}',1.79586362446955657003e+09);
INSERT INTO "checkpoints" VALUES(19,8,5,'runs/00000008/checkpoints/0000000005-96182d701b8fbab5',24,'96182d701b8fbab52d745431d7ef3c8953005f9d45cc745230bcc81718d89720',NULL,0.5,'{}',1.79586362446955657003e+09);
CREATE TABLE endpoints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	agent_id INTEGER NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	port INTEGER, 
	key_digest VARCHAR(64), 
	key_hint VARCHAR(8), 
	token VARCHAR(32), 
	machine TEXT, 
	pid INTEGER, 
	pid_started FLOAT, 
	beat_at FLOAT, 
	launched_at FLOAT, 
	ready_at FLOAT, 
	version INTEGER, 
	route VARCHAR(16), 
	example JSON, 
	error TEXT, launches INTEGER, launch_machine TEXT, launch_pid INTEGER, launch_started FLOAT, 
	CONSTRAINT fk_endpoints_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id), 
	CONSTRAINT uq_endpoints_agent_id UNIQUE (agent_id)
);
INSERT INTO "endpoints" VALUES(1,1,'127.0.0.1',40221,NULL,NULL,NULL,NULL,NULL,NULL,1.79586362282193207746e+09,1.79586359474369502064e+09,1.79586359760637474056e+09,2,'get_action','[0.0, 0.0, 0.0, 0.0]',NULL,1,NULL,NULL,NULL);
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	pipeline_id INTEGER, 
	at FLOAT NOT NULL, 
	who VARCHAR(255) NOT NULL, 
	what TEXT NOT NULL, 
	"before" JSON, 
	version INTEGER, 
	CONSTRAINT fk_events_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_events_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id) ON DELETE SET NULL
);
INSERT INTO "events" VALUES(1,1,1,1.79586359184020137786e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(2,1,1,1.79586359187694692609e+09,'somebody','Added stage 1 (ppo).',NULL,2);
INSERT INTO "events" VALUES(3,1,1,1.79586359190072369571e+09,'somebody','Added stage 2 (balancer).',NULL,3);
INSERT INTO "events" VALUES(4,1,1,1.79586359191174912454e+09,'somebody','Triggered stage 1 (ppo).',NULL,NULL);
INSERT INTO "events" VALUES(5,1,1,1.7958635976973462105e+09,'somebody','Triggered stage 2 (balancer).',NULL,NULL);
INSERT INTO "events" VALUES(6,1,1,1.79586360171025490755e+09,'somebody','Edited stage 2 (balancer).',NULL,4);
INSERT INTO "events" VALUES(7,1,1,1.79586360174385166171e+09,'somebody','Edited the description.','{"name": "balance", "description": "Keep a pole up.", "stages": [{"id": 1, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 7, "auto_add_agent": false, "start": "scratch", "start_agent_id": null, "choice": null}, {"id": 2, "trigger": "auto", "gate": null, "gate_score": null, "agent_name": "balancer", "agent_description": "Keeps a pole up.", "kind": "deployment", "choice": "final", "auto_add_agent": false}], "runs": {}, "last_run": 3, "marks": {}}',5);
INSERT INTO "events" VALUES(8,1,2,1.79586360175448417667e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(9,1,2,1.79586360181258845327e+09,'somebody','Added stage 1 (out).',NULL,2);
INSERT INTO "events" VALUES(10,1,2,1.79586360183689093591e+09,'somebody','Added stage 2 (on).',NULL,3);
INSERT INTO "events" VALUES(11,1,2,1.79586360186081385611e+09,'somebody','Added stage 3 (far).','{"name": "walks", "description": "", "stages": [{"id": 3, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 8, "auto_add_agent": false, "start": "scratch", "start_agent_id": null, "choice": null}, {"id": 4, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 9, "auto_add_agent": false, "start": "source", "start_agent_id": null, "choice": "best"}], "runs": {}, "last_run": 0, "marks": {}}',4);
INSERT INTO "events" VALUES(12,1,2,1.79586360189326763158e+09,'somebody','Triggered stage 1 (out).',NULL,NULL);
INSERT INTO "events" VALUES(13,1,2,1.79586360696211838725e+09,'somebody','Triggered stage 2 (on).',NULL,NULL);
INSERT INTO "events" VALUES(14,1,2,1.79586361131720137593e+09,'somebody','Triggered stage 1 (out).',NULL,NULL);
INSERT INTO "events" VALUES(15,1,3,1.79586361535671806335e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(16,1,3,1.79586361539275979996e+09,'somebody','Added stage 1 (breaks).','{"name": "accidents", "description": "", "stages": [], "runs": {}, "last_run": 0, "marks": {}}',2);
INSERT INTO "events" VALUES(17,1,3,1.79586361541382622721e+09,'somebody','Triggered stage 1 (breaks).',NULL,NULL);
INSERT INTO "events" VALUES(18,1,4,1.79586361944380617141e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(19,1,4,1.7958636194852912426e+09,'somebody','Added stage 1 (slow).','{"name": "patience", "description": "", "stages": [], "runs": {}, "last_run": 0, "marks": {}}',2);
INSERT INTO "events" VALUES(20,1,4,1.79586361953788089746e+09,'somebody','Triggered stage 1 (slow).',NULL,NULL);
INSERT INTO "events" VALUES(21,1,4,1.79586362404976487153e+09,'somebody','Stopped stage 1 (slow).',NULL,NULL);
CREATE TABLE experiments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	algorithm_id INTEGER NOT NULL, 
	config JSON NOT NULL, 
	seed INTEGER NOT NULL, 
	config_digest VARCHAR(64) NOT NULL, 
	signature JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	modified_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT fk_experiments_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_experiments_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_experiments_project_id_name UNIQUE (project_id, name)
);
INSERT INTO "experiments" VALUES(1,2,'dpo',1,'{"base_model": "letters-128", "steps": 150, "batch_size": 32, "learning_rate": 0.0005, "beta": 0.1, "sft_weight": 0.5}',0,'43660f3b70eefdb966eed5e361b97606e04f57e87e4504f478af29d081e83dfa','{"base_model": "letters-128"}',1.79586359148732805247e+09,1.79586359148732805247e+09,2);
INSERT INTO "experiments" VALUES(2,2,'dqn',2,'{"env_id": "CartPole-v1", "steps": 80000, "hidden_units": 64, "num_envs": 8, "learning_rate": 0.0023, "discount": 0.99, "batch_size": 128, "updates": 1, "memory": 50000, "warm_up": 1000, "target_rate": 0.1, "exploration_steps": 8000, "final_exploration": 0.05, "evaluation_episodes": 32}',0,'dacb842e18a054f7ab82f345c2ef368bfcd4c2c29225c78646e438c32dd8ffeb','{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(64, 64)"}',1.79586359168278789522e+09,1.79586359168278789522e+09,3);
INSERT INTO "experiments" VALUES(3,2,'grpo',3,'{"base_model": "letters-128", "steps": 100, "prompts": 32, "group_size": 8, "epochs": 2, "learning_rate": 0.001, "clip": 0.2, "kl_weight": 0.02}',0,'079e4699fb1a628df7b58970b590bbd73d1d39d73fa08644486fe72507ab3ba2','{"base_model": "letters-128"}',1.79586359170439648622e+09,1.79586359170439648622e+09,4);
INSERT INTO "experiments" VALUES(4,2,'latentppo',4,'{"hidden_units": 64, "num_envs": 50, "rollout_length": 50, "learning_rate": 0.001, "discount": 0.985, "gae_lambda": 0.95, "clip": 0.2, "epochs": 6, "minibatch_size": 512, "entropy_weight": 0.001, "evaluation_episodes": 200, "steps": 100000, "links": 6, "sparse": false}',0,'ebe50e6d9d5ffd9b0a57cf1c073cb64ac286e2528589ec74ba8d6bef286a7169','{"observation": "Box(8)", "action": "Box(5)", "network": "MLP(64, 64)"}',1.79586359176529550556e+09,1.79586359176529550556e+09,5);
INSERT INTO "experiments" VALUES(5,2,'sft',5,'{"base_model": "letters-128", "steps": 600, "batch_size": 64, "learning_rate": 0.003, "noise": 0.5}',0,'59374bff07d70c4befdd074c8453b463fe44dd98a785d7953ddb642b7d95bf5c','{"base_model": "letters-128"}',1.79586359178249835972e+09,1.79586359178249835972e+09,6);
INSERT INTO "experiments" VALUES(6,2,'supervised',6,'{"dataset": "friedman1", "steps": 1500, "batch_size": 128, "learning_rate": 0.003, "hidden_units": 96, "latent_dim": 2, "kl_weight": 0.001, "links": 6}',0,'ac6e7ae158b4bc8d1772292cecf43ca8db53931ff895bc3e10eec7064c514181','{"dataset": "friedman1", "network": "MLP(96, 96)"}',1.79586359182230162617e+09,1.79586359182230162617e+09,7);
INSERT INTO "experiments" VALUES(7,1,'ppo',7,'{"hidden_units": 16, "num_envs": 32, "rollout_length": 64, "learning_rate": 0.0025, "discount": 0.99, "gae_lambda": 0.95, "clip": 0.2, "epochs": 4, "minibatch_size": 256, "entropy_weight": 0.005, "evaluation_episodes": 32, "env_id": "CartPole-v1", "steps": 4096}',1,'f2f752349fcefa6786c5ef8291a200a9a6eacf5516e7afd74a463e8e3c39b921','{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.79586359186447906493e+09,1.79586359186447906493e+09,3);
INSERT INTO "experiments" VALUES(8,1,'out',8,'{"steps": 3, "fail": false, "rest": 0.0}',0,'64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3','{}',1.79586360179508662225e+09,1.79586360179508662225e+09,20);
INSERT INTO "experiments" VALUES(9,1,'on',8,'{"steps": 3, "fail": false, "rest": 0.0}',0,'64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3','{}',1.79586360182659840589e+09,1.79586360182659840589e+09,22);
INSERT INTO "experiments" VALUES(10,1,'far',8,'{"steps": 2, "fail": false, "rest": 0.0}',0,'c2574adcb18f89ff354eba4e7946435c4eba6825d7fea5e92f16e0679822adb1','{}',1.79586360185034680366e+09,1.79586360185034680366e+09,24);
INSERT INTO "experiments" VALUES(11,1,'breaks',8,'{"steps": 3, "fail": true, "rest": 0.0}',0,'50f8804ae53abafb65e70150de5340a42e446a7bcef36895601e8b8915b3d35d','{}',1.79586361537410497662e+09,1.79586361537410497662e+09,36);
INSERT INTO "experiments" VALUES(12,1,'slow',8,'{"steps": 1000, "fail": false, "rest": 0.2}',0,'f3f39f8abe43c02c450093dc68ab92e8012c77b9adf635b8b826344c66bf890a','{}',1.79586361946302056308e+09,1.79586361946302056308e+09,42);
CREATE TABLE metrics (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value FLOAT, 
	CONSTRAINT fk_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "metrics" VALUES(1,1,2048,'policy_loss',-1.69669529660707689433e-02);
INSERT INTO "metrics" VALUES(2,1,2048,'value_loss',4.20277922494070850251e+01);
INSERT INTO "metrics" VALUES(3,1,2048,'entropy',6.85898955379213637328e-01);
INSERT INTO "metrics" VALUES(4,1,2048,'kl',7.46582278225105255842e-03);
INSERT INTO "metrics" VALUES(5,1,2048,'clipped',7.46435325735330668095e-02);
INSERT INTO "metrics" VALUES(6,1,2048,'mean_return',99.46875);
INSERT INTO "metrics" VALUES(7,1,2048,'training_score',2.21470588235294130186e+01);
INSERT INTO "metrics" VALUES(8,1,2048,'evaluation_score',99.46875);
INSERT INTO "metrics" VALUES(9,1,4096,'policy_loss',-1.23414416148264847322e-02);
INSERT INTO "metrics" VALUES(10,1,4096,'value_loss',4.39351952416556201796e+01);
INSERT INTO "metrics" VALUES(11,1,4096,'entropy',6.63303843566349526916e-01);
INSERT INTO "metrics" VALUES(12,1,4096,'kl',6.70312048368616915372e-03);
INSERT INTO "metrics" VALUES(13,1,4096,'clipped',6.18059061080262553411e-02);
INSERT INTO "metrics" VALUES(14,1,4096,'mean_return',83.5625);
INSERT INTO "metrics" VALUES(15,1,4096,'training_score',27.22);
INSERT INTO "metrics" VALUES(16,1,4096,'evaluation_score',83.5625);
INSERT INTO "metrics" VALUES(17,4,1,'loss',1.0);
INSERT INTO "metrics" VALUES(18,4,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(19,4,2,'loss',0.5);
INSERT INTO "metrics" VALUES(20,4,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(21,4,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(22,4,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(23,5,1,'loss',1.0);
INSERT INTO "metrics" VALUES(24,5,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(25,5,2,'loss',0.5);
INSERT INTO "metrics" VALUES(26,5,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(27,5,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(28,5,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(29,6,1,'loss',1.0);
INSERT INTO "metrics" VALUES(30,6,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(31,6,2,'loss',0.5);
INSERT INTO "metrics" VALUES(32,6,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(33,6,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(34,6,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(35,7,1,'loss',1.0);
INSERT INTO "metrics" VALUES(36,7,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(37,7,2,'loss',0.5);
INSERT INTO "metrics" VALUES(38,7,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(39,7,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(40,7,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(41,8,1,'loss',1.0);
INSERT INTO "metrics" VALUES(42,8,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(43,8,2,'loss',0.5);
INSERT INTO "metrics" VALUES(44,8,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(45,8,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(46,8,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(47,8,4,'loss',0.25);
INSERT INTO "metrics" VALUES(48,8,4,'evaluation_score',0.4);
INSERT INTO "metrics" VALUES(49,8,5,'loss',0.2);
INSERT INTO "metrics" VALUES(50,8,5,'evaluation_score',0.5);
INSERT INTO "metrics" VALUES(51,8,6,'loss',1.66666666666666657414e-01);
INSERT INTO "metrics" VALUES(52,8,6,'evaluation_score',0.6);
CREATE TABLE pipelines (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	modified_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT fk_pipelines_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_pipelines_project_id_name UNIQUE (project_id, name)
);
INSERT INTO "pipelines" VALUES(1,1,'balance','Keep a pole up, for long.',5,1.79586359184020137786e+09,1.79586360174385166171e+09,18);
INSERT INTO "pipelines" VALUES(2,1,'walks','',4,1.79586360175448417667e+09,1.79586361131720137593e+09,32);
INSERT INTO "pipelines" VALUES(3,1,'accidents','',2,1.79586361535671806335e+09,1.79586361541382622721e+09,38);
INSERT INTO "pipelines" VALUES(4,1,'patience','',2,1.79586361944380617141e+09,1.79586361953788089746e+09,44);
CREATE TABLE projects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	advanced_training BOOLEAN NOT NULL, 
	created_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT uq_projects_name UNIQUE (name)
);
INSERT INTO "projects" VALUES(1,'Letters',1,1.79586359103721332551e+09,48);
INSERT INTO "projects" VALUES(2,'Plain',0,1.79586359104058575632e+09,7);
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	pipeline_id INTEGER, 
	stage_id INTEGER, 
	experiment_id INTEGER, 
	number INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created_at FLOAT NOT NULL, 
	started_at FLOAT, 
	finished_at FLOAT, 
	start_checkpoint_id INTEGER, 
	start_agent_version_id INTEGER, 
	start_role VARCHAR(64), 
	source_checkpoint_id INTEGER, 
	source_run_id INTEGER, 
	resumed_run_id INTEGER, 
	config JSON NOT NULL, 
	config_digest VARCHAR(64), 
	seed INTEGER NOT NULL, 
	signature JSON NOT NULL, 
	algorithm_id INTEGER, 
	token VARCHAR(32), 
	host TEXT, 
	pid INTEGER, 
	pid_started FLOAT, 
	child_pid INTEGER, 
	child_started FLOAT, 
	beat_at FLOAT, 
	launches INTEGER NOT NULL, 
	launched_at FLOAT, 
	step INTEGER, 
	total INTEGER, 
	error TEXT, 
	revision INTEGER NOT NULL, lowest_evaluation FLOAT, highest_evaluation FLOAT, lowest_training FLOAT, highest_training FLOAT, launch_host TEXT, launch_pid INTEGER, launch_started FLOAT, 
	CONSTRAINT fk_runs_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_runs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id), 
	CONSTRAINT fk_runs_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id) ON DELETE SET NULL, 
	CONSTRAINT fk_runs_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_runs_resumed_run_id FOREIGN KEY(resumed_run_id) REFERENCES runs (id), 
	CONSTRAINT fk_runs_source_run_id FOREIGN KEY(source_run_id) REFERENCES runs (id), 
	CONSTRAINT fk_runs_stage_id FOREIGN KEY(stage_id) REFERENCES stages (id) ON DELETE SET NULL
);
INSERT INTO "runs" VALUES(1,1,1,1,7,1,'Succeeded',1.79586359191174912454e+09,1.79586359396060729022e+09,1.79586359466969037058e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"hidden_units": 16, "num_envs": 32, "rollout_length": 64, "learning_rate": 0.0025, "discount": 0.99, "gae_lambda": 0.95, "clip": 0.2, "epochs": 4, "minibatch_size": 256, "entropy_weight": 0.005, "evaluation_episodes": 32, "env_id": "CartPole-v1", "steps": 4096}','f2f752349fcefa6786c5ef8291a200a9a6eacf5516e7afd74a463e8e3c39b921',1,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',7,'00000000000000000000000000000001','host|boot|1',1,1.0,2,1.0,1.79586359459228086469e+09,1,1.79586359191721701622e+09,4096,4096,NULL,9,83.5625,99.46875,2.21470588235294130186e+01,27.22,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(2,1,1,2,NULL,1,'Succeeded',1.79586359466969037058e+09,1.79586359469915699958e+09,1.79586359763377237321e+09,1,NULL,NULL,1,1,NULL,'{"agent_name": "balancer", "agent_description": "Keeps a pole up."}',NULL,0,'{}',NULL,'00000000000000000000000000000002','host|boot|1',1,1.0,2,1.0,1.79586359469915699958e+09,0,NULL,NULL,NULL,NULL,12,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,1,1,2,NULL,2,'Succeeded',1.7958635976973462105e+09,1.79586360147009348872e+09,1.79586360165065789216e+09,1,NULL,NULL,1,1,NULL,'{"agent_name": "balancer", "agent_description": "Keeps a pole up."}',NULL,0,'{}',NULL,'00000000000000000000000000000003','host|boot|1',1,1.0,2,1.0,1.79586360147009348872e+09,1,1.79586359771611189838e+09,NULL,NULL,NULL,16,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(4,1,2,3,8,1,'Succeeded',1.79586360189326763158e+09,1.79586360664457106591e+09,1.7958636067652947902e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000004','host|boot|1',1,1.0,2,1.0,1.79586360664457106591e+09,1,1.79586360190005087846e+09,3,3,NULL,28,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(5,1,2,4,9,1,'Succeeded',1.79586360696211838725e+09,1.79586361117204856875e+09,1.7958636112427308559e+09,5,NULL,'weights',5,4,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000005','host|boot|1',1,1.0,2,1.0,1.79586361117204856875e+09,1,1795863606.98047,3,3,NULL,31,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(6,1,2,3,8,2,'Succeeded',1.79586361131720137593e+09,1.79586361505946373942e+09,1.79586361512738776208e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000006','host|boot|1',1,1.0,2,1.0,1.79586361505946373942e+09,1,1.79586361133625864979e+09,3,3,NULL,34,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(7,1,3,6,11,1,'Failed',1.79586361541382622721e+09,1.79586361910067272189e+09,1.79586361922017860408e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": true, "rest": 0.0}','50f8804ae53abafb65e70150de5340a42e446a7bcef36895601e8b8915b3d35d',0,'{}',8,'00000000000000000000000000000007','host|boot|1',1,1.0,2,1.0,1.79586361910067272189e+09,1,1.79586361542070817951e+09,3,3,'Traceback (most recent call last):
  File "/packages/pipeline_widgets/execution/child.py", line 127, in carry_out
    return _train(job, emit, stop, go)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/packages/pipeline_widgets/execution/child.py", line 165, in _train
    algorithm(context)
  File "/packages/pipeline_widgets/algorithms/registry.py", line 54, in __call__
    self.train(ctx)
  File "/tmp/older/make.py", line 59, in walk
    raise ValueError("the bridge is down")
ValueError: the bridge is down
',40,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(8,1,4,7,12,1,'Stopped',1.79586361953788089746e+09,1.79586362336843156821e+09,1.79586362446955657003e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 1000, "fail": false, "rest": 0.2}','f3f39f8abe43c02c450093dc68ab92e8012c77b9adf635b8b826344c66bf890a',0,'{}',8,'00000000000000000000000000000008','host|boot|1',1,1.0,2,1.0,1.79586362402942037582e+09,1,1.79586361956435656547e+09,6,1000,NULL,48,0.1,0.5,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE stages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	pipeline_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"trigger" VARCHAR(16) NOT NULL, 
	experiment_id INTEGER, 
	start VARCHAR(16), 
	start_agent_id INTEGER, 
	choice VARCHAR(16), 
	auto_add_agent BOOLEAN NOT NULL, 
	agent_name VARCHAR(255), 
	agent_description TEXT, 
	gate VARCHAR(16), 
	gate_score FLOAT, 
	held TEXT, 
	accepted_run_id INTEGER, 
	accepted_state TEXT, 
	accepted_note TEXT, 
	accepted_at FLOAT, 
	CONSTRAINT ck_stages_kind CHECK (kind IN ('experiment', 'deployment')), 
	CONSTRAINT fk_stages_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id), 
	CONSTRAINT fk_stages_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id), 
	CONSTRAINT fk_stages_start_agent_id FOREIGN KEY(start_agent_id) REFERENCES agents (id)
);
INSERT INTO "stages" VALUES(1,1,0,'experiment','manual',7,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(2,1,1,'deployment','auto',NULL,NULL,NULL,'final',0,'balancer','Keeps a pole up.',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(3,2,0,'experiment','manual',8,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(4,2,1,'experiment','manual',9,'source',NULL,'best',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(5,2,2,'experiment','auto',10,'source',NULL,'best',0,NULL,NULL,'score',0.9,'The gate is not met: evaluation score 0.3, wanted at least 0.9.',NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(6,3,0,'experiment','manual',11,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(7,4,0,'experiment','manual',12,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE workspace (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	artifacts TEXT NOT NULL, 
	beat_every FLOAT NOT NULL, 
	grace FLOAT NOT NULL, 
	revision INTEGER NOT NULL
, identity VARCHAR(32), place TEXT);
INSERT INTO "workspace" VALUES(1,'lab-artifacts',5.0,60.0,8,'12f47aad15774f1593595b790236269a',NULL);
CREATE INDEX ix_experiments_project_id_experiments_revision ON experiments (project_id, revision);
CREATE INDEX ix_pipelines_project_id_pipelines_revision ON pipelines (project_id, revision);
CREATE INDEX ix_stages_experiment_id ON stages (experiment_id);
CREATE INDEX ix_stages_pipeline_id_stages_position ON stages (pipeline_id, position);
CREATE INDEX ix_stages_start_agent_id ON stages (start_agent_id);
CREATE INDEX ix_runs_experiment_id_runs_number ON runs (experiment_id, number);
CREATE INDEX ix_runs_pipeline_id ON runs (pipeline_id);
CREATE INDEX ix_runs_project_id_runs_revision ON runs (project_id, revision);
CREATE INDEX ix_runs_resumed_run_id ON runs (resumed_run_id);
CREATE INDEX ix_runs_source_checkpoint_id ON runs (source_checkpoint_id);
CREATE INDEX ix_runs_source_run_id ON runs (source_run_id);
CREATE INDEX ix_runs_stage_id_runs_experiment_id_runs_status ON runs (stage_id, experiment_id, status);
CREATE INDEX ix_runs_start_checkpoint_id ON runs (start_checkpoint_id);
CREATE UNIQUE INDEX uq_runs_active_experiment ON runs (experiment_id) WHERE status IN ('Pending', 'Running', 'Stopping');
CREATE UNIQUE INDEX uq_runs_active_stage ON runs (stage_id) WHERE status IN ('Pending', 'Running', 'Stopping');
CREATE INDEX ix_metrics_run_id ON metrics (run_id);
CREATE INDEX ix_agent_versions_checkpoint_id ON agent_versions (checkpoint_id);
CREATE INDEX ix_events_pipeline_id ON events (pipeline_id);
CREATE INDEX ix_agent_versions_run_id ON agent_versions (run_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('workspace',1);
INSERT INTO "sqlite_sequence" VALUES('projects',2);
INSERT INTO "sqlite_sequence" VALUES('algorithms',8);
INSERT INTO "sqlite_sequence" VALUES('experiments',12);
INSERT INTO "sqlite_sequence" VALUES('pipelines',4);
INSERT INTO "sqlite_sequence" VALUES('events',21);
INSERT INTO "sqlite_sequence" VALUES('stages',7);
INSERT INTO "sqlite_sequence" VALUES('runs',8);
INSERT INTO "sqlite_sequence" VALUES('metrics',52);
INSERT INTO "sqlite_sequence" VALUES('checkpoints',19);
INSERT INTO "sqlite_sequence" VALUES('agents',1);
INSERT INTO "sqlite_sequence" VALUES('agent_versions',2);
INSERT INTO "sqlite_sequence" VALUES('endpoints',1);
COMMIT;
